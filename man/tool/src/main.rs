//! `kref-manual man FOLDER` writes the man pages, `kref-manual site FOLDER` the source of the web site. To be run
//! in the project's root folder.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let project = kref_manual::Project::read(Path::new("."));
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["man", folder] => write(folder, kref_manual::pages::all(&project)),
        ["site", folder] => write(folder, kref_manual::site::all(&project, Path::new("."))),
        _ => {
            eprintln!("usage: kref-manual man|site FOLDER");
            std::process::exit(2);
        }
    }
}

fn write(folder: &str, files: BTreeMap<String, String>) {
    for (name, text) in files {
        let path = Path::new(folder).join(name);
        let parent = path.parent().expect("a file is in a folder");
        fs::create_dir_all(parent)
            .and_then(|()| fs::write(&path, text))
            .expect("FOLDER can be written");
    }
}
