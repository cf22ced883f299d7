//! Separate debug files: what `strip` has removed, in a file of its own, as distributions install it.
//!
//! | the debug file is named | and is the right one if it has |
//! |---|---|
//! | by the build-id: `/usr/lib/debug/.build-id/xx/yyyy.debug`, or in the cache of debuginfod | the same build-id |
//! | by .gnu_debuglink: in the file's folder, in `.debug/` there, or in that folder under `/usr/lib/debug` | the checksum of the link |
//!
//! Nothing is asked for over a network.

use std::cell::RefCell;
use std::ffi::OsString;
use std::fs::File;
use std::path::{Path, PathBuf};

use memmap2::Mmap;
use object::Object;

use super::Subject;
use super::load::{self, Elf};
use crate::files::open;

/// Where debug files are looked for, and what is to be said of those that were found.
pub struct Places {
    /// Folders as /usr/lib/debug.
    roots: Vec<PathBuf>,
    /// The cache of debuginfod.
    cache: Option<PathBuf>,
    warnings: RefCell<Vec<String>>,
}

/// A link to the file that several debug files share.
pub struct Link {
    /// The path, which may be relative to the file with the link.
    pub name: &'static [u8],
    /// The build-id.
    pub build_id: &'static [u8],
}

impl Places {
    /// The usual places, and before them the folder of `--debug-dir`.
    pub fn new(folder: Option<&str>) -> Self {
        let usual = Path::new("/usr/lib/debug");
        let roots = folder.map(Path::new).into_iter().chain([usual]).map(Path::to_path_buf);
        let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        Self { roots: roots.collect(), cache: cache(variable), warnings: RefCell::default() }
    }

    /// What is to be said, once.
    pub fn warnings(&self) -> Vec<String> {
        self.warnings.take()
    }

    fn by_id(&self, id: &[u8]) -> Vec<PathBuf> {
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let Some((first, rest)) = id.split_first().filter(|_| id.len() <= MOST_ID) else {
            return Vec::new();
        };
        let name = format!(".build-id/{}/{}.debug", hex(&[*first]), hex(rest));
        let of_roots = self.roots.iter().map(|root| root.join(&name));
        of_roots
            .chain(self.cache.iter().map(|cache| cache.join(hex(id)).join("debuginfo")))
            .collect()
    }

    fn by_link(&self, folder: &Path, name: &Path) -> Vec<PathBuf> {
        let beside = [folder.join(name), folder.join(".debug").join(name)];
        let inside = folder.strip_prefix("/").unwrap_or(folder);
        let of_roots = self.roots.iter().map(|root| root.join(inside).join(name));
        beside.into_iter().chain(of_roots).collect()
    }

    fn warn(&self, text: String) {
        self.warnings.borrow_mut().push(crate::names::shown(text.as_bytes()).into_owned());
    }
}

/// A longer build-id names no file.
const MOST_ID: usize = 64;

/// The cache of debuginfod, as its clients find it.
fn cache(variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    if let Some(path) = variable("DEBUGINFOD_CACHE_PATH") {
        return Some(path.into());
    }
    let home = variable("HOME").map(PathBuf::from);
    let old = home.as_ref().map(|home| home.join(".debuginfod_client_cache"));
    old.filter(|old| old.is_dir()).or_else(|| {
        let caches = variable("XDG_CACHE_HOME").map(PathBuf::from);
        Some(caches.or_else(|| Some(home?.join(".cache")))?.join("debuginfod_client"))
    })
}

/// The debug file that belongs to a file, and its path.
pub fn find(subject: &Subject, own: Option<&Elf>, places: &Places) -> Option<(File, PathBuf)> {
    if let Some(id) = subject.build_id {
        let found = places.by_id(id).into_iter().find_map(|path| {
            let file = open(&path)?;
            has_id(&file, id).then_some((file, path))
        });
        if found.is_some() {
            return found;
        }
    }
    by_link(subject.path, own?, places)
}

fn by_link(path: &Path, own: &Elf, places: &Places) -> Option<(File, PathBuf)> {
    let (name, sum) = own.gnu_debuglink().ok()??;
    let name = load::path(name);
    // Another folder would be none of those where debug files are.
    if name.file_name() != Some(name.as_os_str()) {
        return None;
    }
    let mut wrong = None;
    for candidate in places.by_link(path.parent()?, &name) {
        let Some(file) = open(&candidate) else { continue };
        if checksum(&file) == Some(sum) {
            return Some((file, candidate));
        }
        wrong.get_or_insert(candidate);
    }
    if let Some(wrong) = wrong {
        places.warn(format!(
            "{} has no lines: {} is the debug file of another version, its checksum is wrong",
            path.display(),
            wrong.display()
        ));
    }
    None
}

/// The file that a debug file shares with others.
pub fn supplement(link: Link, path: &Path, places: &Places) -> Option<File> {
    // The path of a link in .build-id is relative to the file that this link leads to.
    let real = path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
    let beside = real.parent().map(|folder| folder.join(load::path(link.name)));
    let files =
        beside.into_iter().chain(places.by_id(link.build_id)).filter_map(|path| open(&path));
    files.into_iter().find(|file| has_id(file, link.build_id))
}

/// Whether a file has a build-id. In a debug file only the section has it: the segments are those of the whole file.
fn has_id(file: &File, id: &[u8]) -> bool {
    let cache = object::ReadCache::new(file);
    let object = object::File::parse(&cache);
    object.is_ok_and(|object| object.build_id().ok().flatten() == Some(id))
}

/// A larger file is not read from its beginning to its end. Distributions find theirs by the build-id.
const MOST_BYTES: u64 = 2 << 30;

fn checksum(file: &File) -> Option<u32> {
    if file.metadata().ok()?.len() > MOST_BYTES {
        return None;
    }
    // SAFETY: only a sum is made of the bytes; mishap.rs handles a file that gets shorter.
    let bytes = unsafe { Mmap::map(file) }.ok()?;
    Some(crc32fast::hash(&bytes))
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::{Places, cache};

    #[test]
    fn where_the_cache_of_debuginfod_is() {
        let from = |set: &'static [(&str, &str)]| {
            cache(|name| set.iter().find(|pair| pair.0 == name).map(|pair| pair.1.into()))
        };
        assert_eq!(from(&[]), None);
        let home = ("HOME", "/nowhere/me");
        let path = |text: &str| Some(PathBuf::from(text));
        assert_eq!(from(&[("HOME", "/nowhere/me")]), path("/nowhere/me/.cache/debuginfod_client"));
        assert_eq!(home.0, "HOME");
        let caches = &[("HOME", "/nowhere/me"), ("XDG_CACHE_HOME", "/caches")];
        assert_eq!(from(caches), path("/caches/debuginfod_client"));
        let all = &[("XDG_CACHE_HOME", "/caches"), ("DEBUGINFOD_CACHE_PATH", "/own")];
        assert_eq!(from(all), path("/own"));
    }

    #[test]
    fn paths() {
        let places = Places { cache: Some("/cache".into()), ..Places::new(Some("/mine")) };
        let shown = |paths: Vec<PathBuf>| {
            paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>()
        };
        let wanted = [
            "/mine/.build-id/ab/cd01.debug",
            "/usr/lib/debug/.build-id/ab/cd01.debug",
            "/cache/abcd01/debuginfo",
        ];
        assert_eq!(shown(places.by_id(&[0xab, 0xcd, 1])), wanted);
        assert!(places.by_id(&[]).is_empty() && places.by_id(&[1; 65]).is_empty());
        let wanted = [
            "/usr/bin/x.debug",
            "/usr/bin/.debug/x.debug",
            "/mine/usr/bin/x.debug",
            "/usr/lib/debug/usr/bin/x.debug",
        ];
        assert_eq!(shown(places.by_link(Path::new("/usr/bin"), Path::new("x.debug"))), wanted);
    }
}
