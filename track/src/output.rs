//! Where reports go: standard error, or the file that log_path= names.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fs::File;
use std::io::Write;

use crate::options::Options;

/// Where reports go.
pub enum Output {
    /// Standard error.
    Error,
    /// A file for each process, opened at its first report.
    Log(String, RefCell<HashMap<u32, Option<File>>>),
    /// Documents go to files, one for each process if the name has `%p`; what else is said, to standard error.
    Documents(String),
    /// Standard output.
    Out,
    /// Nowhere: there is a trace.
    Nowhere,
    /// A text, for tests.
    #[cfg(any(test, feature = "fuzzing"))]
    Text(RefCell<String>),
}

impl Output {
    /// As the options say.
    pub fn new(options: &Options) -> Self {
        match &options.log_path {
            _ if options.trace_only => Self::Nowhere,
            Some(pattern) if options.format.usual_file().is_some() => {
                Self::Documents(pattern.clone())
            }
            Some(pattern) => Self::Log(pattern.clone(), RefCell::default()),
            None => Self::Error,
        }
    }

    /// Writes all of `text` where reports of a process go: to nobody, if it cannot be written.
    pub fn write(&self, process: u32, text: &str) {
        let _ = match self {
            Self::Error | Self::Documents(_) => std::io::stderr().write_all(text.as_bytes()),
            Self::Out => std::io::stdout().write_all(text.as_bytes()),
            Self::Nowhere => Ok(()),
            Self::Log(pattern, logs) => {
                let mut logs = logs.borrow_mut();
                if logs.len() >= MOST_LOGS {
                    logs.clear(); // they are opened again, at their ends
                }
                match logs.entry(process).or_insert_with(|| open(pattern, process)) {
                    Some(log) => log.write_all(text.as_bytes()),
                    None => std::io::stderr().write_all(text.as_bytes()),
                }
            }
            #[cfg(any(test, feature = "fuzzing"))]
            Self::Text(out) => {
                out.borrow_mut().push_str(text);
                Ok(())
            }
        };
    }

    /// The file in which a document of a process goes: one for all processes, if the name has no `%p`.
    pub fn file(&self, process: u32) -> String {
        match self {
            Self::Documents(pattern) => expand(pattern, process),
            _ => String::new(),
        }
    }

    /// Whether each process has a file of its own.
    pub fn is_of_one(&self) -> bool {
        matches!(self, Self::Documents(pattern) if pattern.contains("%p"))
    }

    /// Writes a document: a file that is there already is replaced.
    pub fn replace(&self, process: u32, text: &str) {
        let Self::Documents(_) = self else { return self.write(process, text) };
        let path = self.file(process);
        if let Err(error) = std::fs::write(&path, text) {
            eprintln!("kref-track: {path}: {error}");
        }
    }

    /// The descriptor of standard error, if reports go there.
    pub fn descriptor(&self) -> i32 {
        if matches!(self, Self::Error | Self::Documents(_)) { libc::STDERR_FILENO } else { -1 }
    }

    /// One line from us.
    pub fn say(&self, process: u32, line: &str) {
        self.write(process, &format!("kref-track: {line}\n"));
    }
}

/// The most files of --log-path that are open at a time. If another one is needed, all are closed, and are opened again
/// when there is more to write.
const MOST_LOGS: usize = 64;

fn open(pattern: &str, process: u32) -> Option<File> {
    let path = expand(pattern, process);
    match File::options().append(true).create(true).open(&path) {
        Ok(file) => Some(file),
        Err(error) => {
            eprintln!("kref-track: {path}: {error}");
            None
        }
    }
}

/// `%p` is the process's number.
pub fn expand(pattern: &str, process: u32) -> String {
    pattern.replace("%p", &process.to_string())
}
