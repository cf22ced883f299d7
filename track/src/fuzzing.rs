//! What fuzz/ calls: the parts of the judge that read what others have written.

use std::cell::RefCell;
use std::path::Path;
use std::time::{Duration, SystemTime};

pub use crate::evidence::told;
pub use crate::options::{Options, fits};

use crate::debug::Places;
use crate::modules::Module;
use crate::names::Names;
use crate::output::Output;
use crate::world::World;
use crate::{symbols, trace};

/// The reports of the trace at `path`.
pub fn reports(path: &Path, options: &Options) -> Result<String, String> {
    let world = World::new(options.clone(), Output::Text(RefCell::default()));
    match trace::judge(path, world)?.world.output {
        Output::Text(text) => Ok(text.into_inner()),
        _ => unreachable!("the output is a text"),
    }
}

/// What is shown for addresses of the program or library at `path`, and how far each is into its function.
pub fn names(path: &Path, addresses: &[u64]) -> Vec<(String, u64)> {
    let (names, places) = (Names::default(), Places::new(None));
    let later = SystemTime::now() + Duration::from_secs(1);
    let module = Module::of_trace(path.as_os_str().as_encoded_bytes(), None, later, &names);
    let frames = addresses
        .iter()
        .flat_map(|&address| symbols::at(Some(&module), address, &names, Path::new("/"), &places));
    frames.map(|frame| (format!("{} {}", frame.function, frame.file), frame.into)).collect()
}
