//! `KREF_OPTIONS=track=1`: loads the tracker, libkref_track.so, and sets its table.
//!
//! Only the constructor loads the tracker, because `dlopen` waits for the loader's lock. A get or a put
//! must not wait for this lock. The loader's functions are weak references for two reasons: a program
//! that is linked with -static must not contain them, and in an older glibc they are in libdl, which
//! the program may not have.

use core::ffi::{CStr, c_char, c_int, c_void};
use core::ptr;

use crate::options::tracks_all;
use crate::rseq::Area;
use crate::sys::env::variable;
use crate::sys::line::Line;
use crate::sys::weak::weak;
use crate::tracker::{Tracker, set_tracker};

/// `libkref_track.so.MAJOR.MINOR` in a directory. The version is part of the name, because another version
/// has another table.
macro_rules! library_in {
    ($directory:literal) => {
        concat!(
            $directory,
            "libkref_track.so.",
            env!("CARGO_PKG_VERSION_MAJOR"),
            ".",
            env!("CARGO_PKG_VERSION_MINOR"),
            "\0"
        )
    };
}

/// The tracker's place, seen from the directory of libkref.so.
const BESIDE: &str = library_in!("kref/");

/// The name alone, which the loader looks for in its own places.
const LIBRARY: &CStr = match CStr::from_bytes_with_nul(library_in!("").as_bytes()) {
    Ok(name) => name,
    Err(_) => panic!("a name without zeros, and a zero"),
};
const LIBRARY_VARIABLE: &CStr = c"KREF_TRACK_LIBRARY";

/// The tracker's entry point. Takes the value of KREF_OPTIONS and returns the tracker's table; or null,
/// if the tracker cannot start and has written the reason to standard error.
type Start = unsafe extern "C" fn(options: *const c_char) -> *const Tracker;

/// Loads the tracker. If that fails, writes one line with the reason.
pub(crate) fn track(options: &CStr) {
    let Some(loader) = is_dynamic().then(Loader::find).flatten() else {
        say("this program has no dynamic loader that could load ");
        return;
    };
    let Some(library) = loader.open() else { return };
    let start = loader.start(library);
    let Some(start) = start else {
        say("there is no kref_track_start in what was loaded as ");
        return;
    };
    // SAFETY: kref_track_start takes a C string.
    let table = unsafe { start(options.as_ptr()) };
    if table.is_null() {
        return;
    }
    // SAFETY: the table stays unchanged until the process ends.
    if !unsafe { set_tracker(table) } {
        say("impossible size of the table of ");
    } else if tracks_all(options) {
        Area::forgo();
    }
}

/// Whether the program was started by a dynamic loader. A static program may contain `dlopen` too, but a
/// library that is loaded so brings a second libc into the process.
fn is_dynamic() -> bool {
    // SAFETY: getauxval may always be called.
    let [headers, size, count] =
        [libc::AT_PHDR, libc::AT_PHENT, libc::AT_PHNUM].map(|key| unsafe { libc::getauxval(key) });
    (0..count).any(|n| {
        let header = ptr::with_exposed_provenance::<u32>((headers + n * size) as usize);
        // SAFETY: the kernel gave the address of the program's own headers. Each begins with its type.
        unsafe { header.read() == libc::PT_INTERP }
    })
}

/// Writes one line: `what` went wrong, and the tracker's file name.
fn say(what: &str) {
    begin(what).text("; the program is not tracked").write();
}

fn begin(what: &str) -> Line {
    let mut line = Line::new();
    line.text("KREF_OPTIONS=track=1: ").text(what);
    match variable(LIBRARY_VARIABLE) {
        Some(path) => line.text("KREF_TRACK_LIBRARY=").foreign(path.to_bytes()),
        None => line.foreign(LIBRARY.to_bytes()),
    };
    line
}

/// The dynamic loader's functions.
struct Loader {
    dlopen: unsafe extern "C" fn(*const c_char, c_int) -> *mut c_void,
    dlsym: unsafe extern "C" fn(*mut c_void, *const c_char) -> *mut c_void,
    dladdr: unsafe extern "C" fn(*const c_void, *mut libc::Dl_info) -> c_int,
    dlerror: unsafe extern "C" fn() -> *mut c_char,
}

impl Loader {
    fn find() -> Option<Self> {
        let [symbol, address, error] = [weak!("dlsym"), weak!("dladdr"), weak!("dlerror")];
        if symbol.is_null() || address.is_null() || error.is_null() {
            return None;
        }
        // SAFETY: the functions of these names have these types.
        unsafe {
            use core::mem::transmute;
            let dlsym = transmute::<*const (), unsafe extern "C" fn(_, *const c_char) -> _>(symbol);
            // dlopen is looked up by dlsym, because GNU ld warns of every static program that refers to dlopen.
            let open = dlsym(libc::RTLD_DEFAULT, c"dlopen".as_ptr());
            Some(Self {
                dlopen: transmute::<*mut c_void, Option<unsafe extern "C" fn(_, _) -> _>>(open)?,
                dlsym,
                dladdr: transmute::<*const (), unsafe extern "C" fn(_, _) -> _>(address),
                dlerror: transmute::<*const (), unsafe extern "C" fn() -> _>(error),
            })
        }
    }

    /// Opens the library that KREF_TRACK_LIBRARY names. If the variable is not set: the library in the
    /// directory `kref` beside libkref.so, or, if there is none, the library that the loader finds by its
    /// name.
    fn open(&self) -> Option<*mut c_void> {
        let beside = Path::beside(self);
        let opened = match (variable(LIBRARY_VARIABLE), &beside) {
            (Some(path), _) => self.open_at(path),
            (None, Some(beside)) => {
                self.open_at(beside.as_c_str()).or_else(|| self.open_at(LIBRARY))
            }
            (None, None) => self.open_at(LIBRARY),
        };
        if opened.is_none() {
            self.complain(beside.as_ref());
        }
        opened
    }

    fn open_at(&self, path: &CStr) -> Option<*mut c_void> {
        // SAFETY: a C string.
        let library = unsafe { (self.dlopen)(path.as_ptr(), libc::RTLD_NOW) };
        (!library.is_null()).then_some(library)
    }

    fn start(&self, library: *mut c_void) -> Option<Start> {
        // SAFETY: an open library and a C string. The result is null or a function of type `Start`,
        // because only trackers define this name.
        unsafe {
            let start = (self.dlsym)(library, c"kref_track_start".as_ptr());
            core::mem::transmute::<*mut c_void, Option<Start>>(start)
        }
    }

    /// Writes one line: where the loader has searched, the loader's message, and what the user can do.
    fn complain(&self, beside: Option<&Path>) {
        // SAFETY: dlerror takes no argument. It returns null, or a C string that is valid until this
        // thread's next call of the loader.
        let error = unsafe { (self.dlerror)() };
        let mut line = begin("cannot load ");
        if variable(LIBRARY_VARIABLE).is_none() {
            if let Some(beside) = beside {
                line.text(", neither as ").foreign(beside.as_c_str().to_bytes()).text(" nor");
            }
            line.text(" where the loader looks");
        }
        if !error.is_null() {
            // SAFETY: not null, so a C string.
            line.text(" (").foreign(unsafe { CStr::from_ptr(error) }.to_bytes()).text(")");
        }
        line.text("; install libkref's tracker, or name it: KREF_TRACK_LIBRARY=/path/to/");
        line.foreign(LIBRARY.to_bytes()).write();
    }
}

/// A path that ends with a zero byte. The array has room for every path that is used.
struct Path {
    bytes: [u8; Self::LONGEST],
}

impl Path {
    const LONGEST: usize = 1024;

    /// The tracker's path in the directory `kref` beside libkref.so. `None` in a program that contains
    /// libkref.a, and if the path is too long. (`$ORIGIN` in the path for dlopen would not work: a
    /// sanitizer replaces dlopen, and then `$ORIGIN` is the directory of the sanitizer's library.)
    fn beside(loader: &Loader) -> Option<Self> {
        let mut info = libc::Dl_info {
            dli_fname: ptr::null(),
            dli_fbase: ptr::null_mut(),
            dli_sname: ptr::null(),
            dli_saddr: ptr::null_mut(),
        };
        // SAFETY: an address in this library, and a structure to fill in.
        let known = unsafe { (loader.dladdr)(track as *const c_void, &raw mut info) };
        if known == 0 || info.dli_fname.is_null() {
            return None;
        }
        // SAFETY: a C string, which is valid as long as this library is loaded.
        let ours = unsafe { CStr::from_ptr(info.dli_fname) }.to_bytes();
        let name = ours.iter().rposition(|&byte| byte == b'/')? + 1;
        let (directory, name) = ours.split_at_checked(name)?;
        if name.starts_with(b"libkref.so") { Self::joined(directory) } else { None }
    }

    fn joined(directory: &[u8]) -> Option<Self> {
        let mut path = Self { bytes: [0; Self::LONGEST] };
        let (front, rest) = path.bytes.split_at_mut_checked(directory.len())?;
        front.copy_from_slice(directory);
        rest.get_mut(..BESIDE.len())?.copy_from_slice(BESIDE.as_bytes());
        Some(path)
    }

    fn as_c_str(&self) -> &CStr {
        // SAFETY: `joined` ends the path with the zero of `BESIDE`, and `bytes` is zero behind that.
        unsafe { CStr::from_ptr(self.bytes.as_ptr().cast()) }
    }
}
