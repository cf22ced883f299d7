//! A browser that a test drives: Chromium without a window, and its DevTools protocol through two pipes.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

/// Options that keep it from asking for anything in a network, and from needing what a machine for tests has not.
const OPTIONS: [&str; 10] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-pipe",
];

/// A browser with one page.
pub struct Browser {
    child: Child,
    commands: File,
    answers: BufReader<File>,
    session: String,
    next: u64,
    /// What it has told since the page was opened: requests, dialogs, the log.
    pub events: Vec<Value>,
    _profile: TempDir,
}

impl Browser {
    /// Starts one.
    pub fn start() -> Self {
        let profile = tempfile::tempdir().expect("a folder");
        let (theirs, commands) = pipe();
        let (answers, ours) = pipe();
        let mut command = Command::new("chromium");
        command.args(OPTIONS).arg(format!("--user-data-dir={}", profile.path().display()));
        command.arg("about:blank").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let fds = [theirs.as_raw_fd(), ours.as_raw_fd()];
        // SAFETY: between fork and exec only system calls are made, which a forked child may make.
        unsafe {
            command.pre_exec(move || {
                // Away from 3 and 4, which are to be these two.
                let [theirs, ours] = fds.map(|fd| libc::fcntl(fd, libc::F_DUPFD_CLOEXEC, 10));
                if libc::dup2(theirs, 3) < 0 || libc::dup2(ours, 4) < 0 {
                    return Err(std::io::Error::last_os_error());
                }
                Ok(())
            });
        }
        let child = command.spawn().unwrap_or_else(|error| {
            panic!("chromium: {error}. This test needs a browser: apt-get install chromium")
        });
        let mut browser = Self {
            child,
            commands: commands.into(),
            answers: BufReader::new(answers.into()),
            session: String::new(),
            next: 0,
            events: Vec::new(),
            _profile: profile,
        };
        let target = browser.call("Target.createTarget", json!({ "url": "about:blank" }));
        let attach = json!({ "targetId": target["targetId"], "flatten": true });
        let session = browser.call("Target.attachToTarget", attach);
        browser.session = session["sessionId"].as_str().expect("a session").to_string();
        for domain in ["Page", "Network", "Runtime", "Log"] {
            browser.call(&format!("{domain}.enable"), json!({}));
        }
        browser
    }

    /// Opens a file, and waits until it is loaded.
    pub fn open(&mut self, file: &Path) {
        self.events.clear();
        let url = format!("file://{}", file.display());
        let opened = self.call("Page.navigate", json!({ "url": url }));
        assert!(opened["errorText"].is_null(), "{url}: {opened}");
        while !self.events.iter().any(|event| event["method"] == "Page.loadEventFired") {
            let message = self.read();
            self.note(message);
        }
    }

    /// The value of a JavaScript expression in the page.
    pub fn value(&mut self, expression: &str) -> Value {
        let arguments = json!({ "expression": expression, "returnByValue": true });
        let answer = self.call("Runtime.evaluate", arguments);
        assert!(answer["exceptionDetails"].is_null(), "{expression}: {answer}");
        answer["result"]["value"].clone()
    }

    /// Clicks with the mouse in the middle of an element.
    pub fn click(&mut self, selector: &str) {
        let place = self.value(&format!(
            "(() => {{ const element = document.querySelector({selector:?}); element.scrollIntoView(); \
             const box = element.getBoundingClientRect(); \
             return [box.x + box.width / 2, box.y + box.height / 2]; }})()"
        ));
        for kind in ["mousePressed", "mouseReleased"] {
            let event = json!({
                "type": kind, "x": place[0], "y": place[1], "button": "left", "clickCount": 1,
            });
            self.call("Input.dispatchMouseEvent", event);
        }
    }

    /// Presses a key: `text` is what it writes, if anything.
    pub fn press(&mut self, key: &str, code: u32, text: &str) {
        for kind in ["keyDown", "keyUp"] {
            let mut event =
                json!({ "type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code });
            if kind == "keyDown" && !text.is_empty() {
                event["text"] = text.into();
            }
            self.call("Input.dispatchKeyEvent", event);
        }
    }

    /// The URLs that the page has asked for, itself included.
    pub fn requests(&self) -> Vec<&str> {
        let all = self.events.iter().filter(|it| it["method"] == "Network.requestWillBeSent");
        all.filter_map(|event| event["params"]["request"]["url"].as_str()).collect()
    }

    /// The alerts that scripts have opened.
    pub fn dialogs(&self) -> usize {
        let opened = "Page.javascriptDialogOpening";
        self.events.iter().filter(|event| event["method"] == opened).count()
    }

    /// The answer to a command.
    pub fn call(&mut self, method: &str, arguments: Value) -> Value {
        self.next += 1;
        let id = self.next;
        let mut command = json!({ "id": id, "method": method, "params": arguments });
        if !self.session.is_empty() {
            command["sessionId"] = self.session.as_str().into();
        }
        self.write(&command);
        loop {
            let message = self.read();
            if message["id"] == id {
                assert!(message["error"].is_null(), "{method}: {message}");
                return message["result"].clone();
            }
            self.note(message);
        }
    }

    /// Keeps what the browser tells. A dialog would stop the page until it is closed.
    fn note(&mut self, message: Value) {
        let is_dialog = message["method"] == "Page.javascriptDialogOpening";
        self.events.push(message);
        if is_dialog {
            self.next += 1;
            let close = json!({
                "id": self.next, "method": "Page.handleJavaScriptDialog", "params": { "accept": true },
                "sessionId": self.session,
            });
            self.write(&close);
        }
    }

    fn write(&mut self, command: &Value) {
        let line = format!("{command}\0");
        self.commands.write_all(line.as_bytes()).expect("the browser runs");
    }

    fn read(&mut self) -> Value {
        let mut message = Vec::new();
        self.answers.read_until(0, &mut message).expect("the browser runs");
        assert_eq!(message.pop(), Some(0), "the browser has ended");
        serde_json::from_slice(&message).expect("JSON")
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.commands.write_all(b"{\"id\":0,\"method\":\"Browser.close\"}\0");
        let _ = self.child.wait();
    }
}

fn pipe() -> (OwnedFd, OwnedFd) {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    (reader.into(), writer.into())
}
