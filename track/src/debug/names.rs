//! Names of functions as programmers write them: with their namespace and class, and without their parameters.
//!
//! A linkage name has all of it. A function that no other file can call has none (a lambda, a method of a class in an
//! anonymous namespace): then the names of the entries around its own tell where it is.

use std::fmt::{self, Write};

use addr2line::FunctionName;
use cpp_demangle::{DemangleOptions, Symbol};
use gimli::{AttributeValue, DwAt, DwLang, UnitOffset, UnitRef};

use super::At;
use super::load::Slice;

/// The name of a function, and the same with its parameters where they are known.
pub fn of_function(name: &FunctionName<Slice>, at: Option<At>) -> (String, String) {
    let raw = name.name.to_string_lossy();
    let is_plain = !raw.starts_with("_Z") && !raw.starts_with("_R");
    if is_plain
        && name.language.is_some_and(is_cpp)
        && let Some(full) = at.and_then(|(unit, place)| in_parents(unit, place, &raw))
    {
        return (full.clone(), full);
    }
    (demangled(&raw, name.language, false), demangled(&raw, name.language, true))
}

/// The name of a function in a symbol table, without its parameters.
pub fn of_symbol(name: &str) -> String {
    demangled(name, None, false)
}

fn is_cpp(language: DwLang) -> bool {
    [
        gimli::DW_LANG_C_plus_plus,
        gimli::DW_LANG_C_plus_plus_03,
        gimli::DW_LANG_C_plus_plus_11,
        gimli::DW_LANG_C_plus_plus_14,
        gimli::DW_LANG_C_plus_plus_17,
        gimli::DW_LANG_C_plus_plus_20,
    ]
    .contains(&language)
}

fn demangled(raw: &str, language: Option<DwLang>, with_parameters: bool) -> String {
    if language.is_none_or(|language| language == gimli::DW_LANG_Rust)
        && let Some(name) = addr2line::demangle(raw, gimli::DW_LANG_Rust)
    {
        return name;
    }
    let mut options = DemangleOptions::new().no_return_type();
    if !with_parameters {
        options = options.no_params();
    }
    let mut text = Bounded(String::new());
    let written = Symbol::new(raw)
        .is_ok_and(|symbol| symbol.structured_demangle(&mut text, &options).is_ok());
    match text.0.strip_suffix(" const") {
        _ if !written => raw.to_string(),
        Some(method) if !with_parameters => method.to_string(),
        _ => text.0,
    }
}

/// A name that is not made longer: a short linkage name may stand for a text of any length.
struct Bounded(String);

const MOST_BYTES: usize = 4096;

impl Write for Bounded {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.0.len() + text.len() > MOST_BYTES {
            return Err(fmt::Error);
        }
        self.0.push_str(text);
        Ok(())
    }
}

/// Entries that refer to each other may go round in circles.
pub const MOST_STEPS: usize = 8;
/// Entries that are deeper in others are not named by these.
const MOST_PARENTS: usize = 32;

/// The name with those of the namespaces, classes and functions around it.
fn in_parents(unit: UnitRef<Slice>, place: UnitOffset, name: &str) -> Option<String> {
    let mut full = String::new();
    for parent in parents(unit, declaration(unit, place)?)? {
        let entry = unit.entry(parent).ok()?;
        let part = match entry.tag() {
            gimli::DW_TAG_namespace => {
                name_of(unit, parent).or(Some("(anonymous namespace)".into()))
            }
            gimli::DW_TAG_structure_type | gimli::DW_TAG_class_type | gimli::DW_TAG_union_type => {
                name_of(unit, parent)
            }
            gimli::DW_TAG_subprogram => {
                let whole = linkage_name(unit, parent);
                if whole.is_some() {
                    full.clear(); // it has what is around the function as well
                }
                whole.or_else(|| name_of(unit, declaration(unit, parent)?))
            }
            _ => None,
        };
        if let Some(part) = part {
            full += &part;
            full += "::";
        }
    }
    (full.len() + name.len() <= MOST_BYTES).then(|| full + name)
}

/// The entry that an entry refers to in the end: a function's own entry may be anywhere, its declaration is in its class.
fn declaration(unit: UnitRef<Slice>, mut place: UnitOffset) -> Option<UnitOffset> {
    for _ in 0..MOST_STEPS {
        match origin(unit, place)? {
            None => return Some(place),
            Some(AttributeValue::UnitRef(other)) => place = other,
            Some(_) => return None, // in another unit, after link-time optimisation
        }
    }
    None
}

fn origin(unit: UnitRef<Slice>, place: UnitOffset) -> Option<Option<AttributeValue<Slice>>> {
    let entry = unit.entry(place).ok()?;
    let names = [gimli::DW_AT_abstract_origin, gimli::DW_AT_specification];
    Some(names.into_iter().find_map(|name| entry.attr_value(name)))
}

/// The entries around one, the outermost first.
fn parents(unit: UnitRef<Slice>, place: UnitOffset) -> Option<Vec<UnitOffset>> {
    let mut around: Vec<UnitOffset> = Vec::new();
    let mut entries = unit.entries();
    while let Some(entry) = entries.next_dfs().ok()? {
        let depth = usize::try_from(entry.depth()).ok()?;
        around.truncate(depth);
        if entry.offset() == place {
            return Some(around);
        }
        if entry.offset().0 > place.0 {
            return None;
        }
        if depth < MOST_PARENTS {
            around.push(entry.offset());
        }
    }
    None
}

fn name_of(unit: UnitRef<Slice>, place: UnitOffset) -> Option<String> {
    text(unit, place, gimli::DW_AT_name)
}

/// The function's linkage name without its parameters, if the function's entry or one that it refers to has one.
fn linkage_name(unit: UnitRef<Slice>, mut place: UnitOffset) -> Option<String> {
    for _ in 0..MOST_STEPS {
        if let Some(raw) = text(unit, place, gimli::DW_AT_linkage_name) {
            return Some(demangled(&raw, None, false));
        }
        let Some(AttributeValue::UnitRef(other)) = origin(unit, place)? else { return None };
        place = other;
    }
    None
}

fn text(unit: UnitRef<Slice>, place: UnitOffset, name: DwAt) -> Option<String> {
    let value = unit.entry(place).ok()?.attr_value(name)?;
    Some(unit.attr_string(value).ok()?.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::{MOST_BYTES, demangled, of_symbol};

    #[test]
    fn names_without_parameters() {
        for (linkage, name) in [
            ("_ZN7Session5closeEv", "Session::close"),
            ("_ZNK7Session5closeEi", "Session::close"),
            ("_ZN3net4PoolI7SessionE4takeEi", "net::Pool<Session>::take"),
            ("_Z4keepI7SessionEvT_", "keep<Session>"),
            ("_ZN7SessionC1Ei", "Session::Session"),
            ("_ZN7SessionC4Ei", "Session::Session"),
            ("_ZN12_GLOBAL__N_14keepEi", "(anonymous namespace)::keep"),
            ("_ZN3RefaSERKS_", "Ref::operator="),
            ("_ZZ4mainENKUlvE_clEv", "main::{lambda()#1}::operator()"),
            ("_ZN7Session5closeEv.part.0", "Session::close"),
            ("_RNvC6_123foo3bar", "123foo::bar"),
            ("_ZN4core3ptr4read17h0123456789abcdefE", "core::ptr::read"),
            ("session_get", "session_get"),
            ("_Znonsense", "_Znonsense"),
        ] {
            assert_eq!(of_symbol(linkage), name, "{linkage}");
        }
        let full = demangled("_ZN7Session5closeEi", Some(gimli::DW_LANG_C_plus_plus_14), true);
        assert_eq!(full, "Session::close(int)");
    }

    /// Each name in it stands for two of the one before.
    #[test]
    fn a_name_that_would_become_long() {
        let pair = |inner: &str| format!("St4pairI{inner}{inner}E");
        let name = (0..9).fold("7Session".to_string(), |inner, _| pair(&inner));
        let linkage = format!("_Z4keepI{name}EvT_");
        let shown = of_symbol(&linkage);
        assert!(shown == linkage || shown.len() <= MOST_BYTES, "{}", shown.len());
    }
}
