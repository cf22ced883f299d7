//! `KREF_OPTIONS=track=1`: finds the tracker, libkref_track.so, and sets its table.
//!
//! At load and never later: the loader's lock is ours to wait for in a constructor, and in no get or
//! put. The loader's functions are weak references: they must not be pulled into a program that is
//! linked with -static, and with an older glibc they may be in a library that the program does without.

use core::ffi::{CStr, c_char, c_int, c_void};
use core::ptr;

use crate::line::Line;
use crate::tracker::{Tracker, set_tracker};

const LIBRARY: &CStr = c"libkref_track.so.0";
const LIBRARY_VARIABLE: &CStr = c"KREF_TRACK_LIBRARY";

/// Given KREF_OPTIONS; the tracker, or null if it has said on standard error why not.
type Start = unsafe extern "C" fn(options: *const c_char) -> *const Tracker;

/// Loads the tracker, or says in one line why not.
pub(crate) fn track(options: &CStr) {
    let Some(loader) = Loader::find().filter(|_| is_dynamic()) else {
        say("this program has no dynamic loader that could load ");
        return;
    };
    let Some(library) = loader.open() else { return };
    let start = loader.start(library);
    let Some(start) = start else {
        say("there is no kref_track_start in what was loaded as ");
        return;
    };
    // SAFETY: a tracker's kref_track_start takes a C string; its table is one for good.
    let set = unsafe {
        let table = start(options.as_ptr());
        table.is_null() || set_tracker(table)
    };
    if !set {
        say("the table has no size that a table has, of ");
    }
}

/// Whether the program was started by a dynamic loader: whether it names one. A static program may have
/// the loader's functions, but what they load brings a second libc along.
fn is_dynamic() -> bool {
    // SAFETY: getauxval may always be called.
    let [headers, size, count] =
        [libc::AT_PHDR, libc::AT_PHENT, libc::AT_PHNUM].map(|key| unsafe { libc::getauxval(key) });
    (0..count).any(|n| {
        let header = ptr::with_exposed_provenance::<u32>((headers + n * size) as usize);
        // SAFETY: the program's own headers, as the kernel tells; each begins with its type.
        unsafe { header.read() == libc::PT_INTERP }
    })
}

/// The rest of a line about the tracker that was looked for.
fn say(what: &str) {
    begin(what).text("; the program is not tracked").write();
}

fn begin(what: &str) -> Line {
    let mut line = Line::new();
    line.text("KREF_OPTIONS=track=1: ").text(what);
    match variable() {
        Some(path) => line.text("KREF_TRACK_LIBRARY=").foreign(path.to_bytes()),
        None => line.foreign(LIBRARY.to_bytes()),
    };
    line
}

fn variable() -> Option<&'static CStr> {
    unsafe extern "C" {
        fn secure_getenv(name: *const c_char) -> *const c_char;
    }
    // SAFETY: a C string; the environment's value is one, and nobody changes it while we are here.
    unsafe {
        let value = secure_getenv(LIBRARY_VARIABLE.as_ptr());
        if value.is_null() { None } else { Some(CStr::from_ptr(value)) }
    }
}

/// libc's functions.
struct Loader {
    dlopen: unsafe extern "C" fn(*const c_char, c_int) -> *mut c_void,
    dlsym: unsafe extern "C" fn(*mut c_void, *const c_char) -> *mut c_void,
    dladdr: unsafe extern "C" fn(*const c_void, *mut libc::Dl_info) -> c_int,
    dlerror: unsafe extern "C" fn() -> *mut c_char,
}

impl Loader {
    #[cfg(target_arch = "x86_64")]
    fn find() -> Option<Self> {
        use crate::weak::weak;
        let [open, symbol, address, error] =
            [weak!("dlopen"), weak!("dlsym"), weak!("dladdr"), weak!("dlerror")];
        if open.is_null() || symbol.is_null() || address.is_null() || error.is_null() {
            return None;
        }
        // SAFETY: libc's functions of those names, which are of those types.
        unsafe {
            use core::mem::transmute;
            Some(Self {
                dlopen: transmute::<*const (), unsafe extern "C" fn(_, _) -> _>(open),
                dlsym: transmute::<*const (), unsafe extern "C" fn(_, _) -> _>(symbol),
                dladdr: transmute::<*const (), unsafe extern "C" fn(_, _) -> _>(address),
                dlerror: transmute::<*const (), unsafe extern "C" fn() -> _>(error),
            })
        }
    }

    /// Elsewhere no weak reference has been tried; a static program pulls the loader in.
    #[cfg(not(target_arch = "x86_64"))]
    fn find() -> Option<Self> {
        Some(Self {
            dlopen: libc::dlopen,
            dlsym: libc::dlsym,
            dladdr: libc::dladdr,
            dlerror: libc::dlerror,
        })
    }

    /// The library that the variable names; or else the one beside libkref.so, or the loader's.
    fn open(&self) -> Option<*mut c_void> {
        let beside = Path::beside(self);
        let opened = match (variable(), &beside) {
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
        // SAFETY: an open library and a C string. Null or a function of that type: the name is for
        // trackers alone.
        unsafe {
            let start = (self.dlsym)(library, c"kref_track_start".as_ptr());
            core::mem::transmute::<*mut c_void, Option<Start>>(start)
        }
    }

    /// Where the tracker was looked for, what the loader says, and what to do.
    fn complain(&self, beside: Option<&Path>) {
        // SAFETY: a C string, or null, that is the thread's until its next call of the loader.
        let error = unsafe { (self.dlerror)() };
        let mut line = begin("cannot load ");
        if variable().is_none() {
            if let Some(beside) = beside {
                line.text(", neither as ").foreign(beside.as_c_str().to_bytes()).text(" nor");
            }
            line.text(" where the loader looks");
        }
        if !error.is_null() {
            // SAFETY: as above.
            line.text(" (").foreign(unsafe { CStr::from_ptr(error) }.to_bytes()).text(")");
        }
        line.text("; install libkref's tracker, or name it: KREF_TRACK_LIBRARY=/path/to/");
        line.foreign(LIBRARY.to_bytes()).write();
    }
}

/// A path, ending in 0. One that is longer is none.
struct Path {
    bytes: [u8; Self::LONGEST],
}

impl Path {
    const LONGEST: usize = 1024;

    /// The tracker's, in libkref.so's own directory. A program that libkref.a is in tells nothing.
    fn beside(loader: &Loader) -> Option<Self> {
        let mut info = libc::Dl_info {
            dli_fname: ptr::null(),
            dli_fbase: ptr::null_mut(),
            dli_sname: ptr::null(),
            dli_saddr: ptr::null_mut(),
        };
        // SAFETY: an address of ours, and what to fill in.
        let known = unsafe { (loader.dladdr)(track as *const c_void, &raw mut info) };
        if known == 0 || info.dli_fname.is_null() {
            return None;
        }
        // SAFETY: a C string, as long as this library is loaded.
        let ours = unsafe { CStr::from_ptr(info.dli_fname) }.to_bytes();
        let name = ours.iter().rposition(|&byte| byte == b'/')? + 1;
        let (directory, name) = ours.split_at_checked(name)?;
        if name.starts_with(b"libkref.so") { Self::joined(directory, LIBRARY) } else { None }
    }

    fn joined(directory: &[u8], name: &CStr) -> Option<Self> {
        let mut path = Self { bytes: [0; Self::LONGEST] };
        let (front, rest) = path.bytes.split_at_mut_checked(directory.len())?;
        front.copy_from_slice(directory);
        rest.get_mut(..name.to_bytes_with_nul().len())?.copy_from_slice(name.to_bytes_with_nul());
        Some(path)
    }

    fn as_c_str(&self) -> &CStr {
        CStr::from_bytes_until_nul(&self.bytes).unwrap_or_default()
    }
}
