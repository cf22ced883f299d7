//! The source of the web site, for mkdocs.

use std::collections::BTreeMap;
use std::path::Path;

use crate::Project;

/// Each file, and its text.
pub fn all(_project: &Project, _root: &Path) -> BTreeMap<String, String> {
    BTreeMap::new()
}
