//! Tail calls: a function whose last statement is a call jumps there, and is then not on the stack any more. But the
//! debug information has an entry for each call, with the function that is called.
//!
//! ```text
//! on the stack                    what the debug information says              shown
//! F, which has called A           the call in F calls A                        F
//! B                               A has one tail call, and it calls B          A (tail call)
//!                                                                              B
//! ```

use std::collections::HashMap;
use std::rc::Rc;

use gimli::{AttributeValue, DwAt, UnitOffset, UnitRef};
use rustc_hash::FxBuildHasher;

use super::Debug;
use super::load::Slice;
use super::names::MOST_STEPS;

/// A function: the same for each of its entries.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Function {
    /// By its name for the linker.
    Named(String),
    /// A static function, by the place of its entry.
    Local(usize),
}

/// A call that is a jump.
struct Tail {
    /// An address in the jump.
    address: u64,
    /// The function that is called, if it is always the same one.
    to: Option<Function>,
}

/// The calls of a unit.
#[derive(Default)]
pub struct Calls {
    /// The functions that are called, by the return address.
    callees: HashMap<u64, Function, FxBuildHasher>,
    tails: HashMap<Function, Vec<Tail>, FxBuildHasher>,
}

/// A search that has looked at more functions ends without a result.
const MOST_FUNCTIONS: usize = 64;

/// The chains of tail calls that were found.
#[derive(Default)]
struct Search {
    /// The functions that were searched.
    seen: Vec<Function>,
    /// The jumps of the only chain.
    chain: Option<Vec<u64>>,
    is_ambiguous: bool,
}

impl Debug {
    /// The function at an address, without what was inlined.
    pub fn function_at(&self, address: u64) -> Option<Function> {
        let named = || Some(Function::Named(self.symbols.containing(address)?.name().to_string()));
        let Some(context) = &self.context else { return named() };
        let mut frames = self.finish(context.find_frames(address)).ok()?;
        let mut outer = None;
        while let Some(frame) = frames.next().ok()? {
            outer = frame.dw_die_offset;
        }
        let Some(entry) = outer else { return named() };
        function(self.finish(context.find_dwarf_and_unit(address))?, entry)
    }

    /// The call before `return_address` calls one function, but `inner` is on the stack. Returns the addresses of the tail
    /// calls that lead from the first to the second, the outermost first. Empty if there is no such chain, or more than
    /// one.
    pub fn tail_calls(&self, return_address: u64, inner: &Function) -> Vec<u64> {
        let calls = self.calls(return_address.wrapping_sub(1));
        let Some((calls, callee)) =
            calls.as_ref().and_then(|calls| Some((calls, calls.callees.get(&return_address)?)))
        else {
            return Vec::new();
        };
        let mut search = Search::default();
        if callee != inner {
            self.search(calls, callee, inner, &mut Vec::new(), &mut search);
        }
        search.chain.filter(|_| !search.is_ambiguous).unwrap_or_default()
    }

    /// Searches the tail calls of the function `from`, to which the jumps of `path` lead.
    fn search(
        &self,
        calls: &Rc<Calls>,
        from: &Function,
        to: &Function,
        path: &mut Vec<u64>,
        search: &mut Search,
    ) {
        search.seen.push(from.clone());
        search.is_ambiguous |= search.seen.len() > MOST_FUNCTIONS;
        let here = calls.tails.contains_key(from).then(|| calls.clone());
        let Some(calls) = here.or_else(|| self.calls(self.symbol_of(from)?)) else { return };
        for tail in calls.tails.get(from).into_iter().flatten() {
            path.push(tail.address);
            match &tail.to {
                _ if search.is_ambiguous => {}
                None => search.is_ambiguous = true,
                Some(next) if next == to => {
                    search.is_ambiguous = search.chain.replace(path.clone()).is_some();
                }
                // Another way to the same function may be another chain.
                Some(next) if search.seen.contains(next) => search.is_ambiguous = true,
                Some(next) => self.search(&calls, next, to, path, search),
            }
            path.pop();
        }
    }

    fn symbol_of(&self, function: &Function) -> Option<u64> {
        let Function::Named(name) = function else { return None };
        let symbols = self.symbols.symbols();
        Some(symbols.iter().find(|symbol| symbol.name() == name)?.address())
    }

    /// The calls of the unit that an address is in.
    fn calls(&self, address: u64) -> Option<Rc<Calls>> {
        let unit = self.finish(self.context.as_ref()?.find_dwarf_and_unit(address))?;
        let mut known = self.calls.borrow_mut();
        let calls = known.entry(unit_offset(unit)).or_insert_with(|| Rc::new(read(unit)));
        Some(calls.clone())
    }
}

/// A unit of a file of its own (-gsplit-dwarf) is told from the others by its base of addresses.
fn unit_offset(unit: UnitRef<Slice>) -> (usize, usize) {
    let offset = unit.header.debug_info_offset().map_or(0, |offset| offset.0);
    (offset, if unit.dwo_id.is_some() { unit.addr_base.0 } else { 0 })
}

fn read(unit: UnitRef<Slice>) -> Calls {
    let mut calls = Calls::default();
    let mut around: Vec<(isize, UnitOffset)> = Vec::new();
    let mut entries = unit.entries();
    while let Ok(Some(entry)) = entries.next_dfs() {
        while around.pop_if(|(depth, _)| *depth >= entry.depth()).is_some() {}
        if entry.tag() == gimli::DW_TAG_subprogram {
            around.push((entry.depth(), entry.offset()));
            let has_code = CODE.iter().any(|name| entry.has_attr(*name));
            if has_code
                && !COMPLETE.iter().any(|name| entry.has_attr(*name))
                && let Some(caller) = function(unit, entry.offset())
            {
                calls.tails.entry(caller).or_default().push(Tail { address: 0, to: None });
            }
        }
        let is_call = [gimli::DW_TAG_call_site, gimli::DW_TAG_GNU_call_site].contains(&entry.tag());
        let Some((_, caller)) = around.last().filter(|_| is_call) else { continue };
        let address = |name: DwAt| unit.attr_address(entry.attr_value(name)?).ok().flatten();
        let returns = [gimli::DW_AT_call_return_pc, gimli::DW_AT_low_pc];
        let returns = returns.into_iter().find_map(address);
        let called = [gimli::DW_AT_call_origin, gimli::DW_AT_abstract_origin];
        let called = called.into_iter().find_map(|name| entry.attr_value(name));
        let to = called.and_then(|called| referred(unit, &called));
        let tail = [gimli::DW_AT_call_tail_call, gimli::DW_AT_GNU_tail_call];
        if tail.into_iter().any(|name| entry.has_attr(name)) {
            // gcc has the address behind the jump, clang that of the jump.
            let place = address(gimli::DW_AT_call_pc).or(returns.map(|at| at.wrapping_sub(1)));
            if let (Some(address), Some(caller)) = (place, function(unit, *caller)) {
                calls.tails.entry(caller).or_default().push(Tail { address, to });
            }
        } else if let (Some(returns), Some(to)) = (returns, to) {
            calls.callees.insert(returns, to);
        }
    }
    calls
}

/// An entry with one of these is a function with code.
const CODE: [DwAt; 2] = [gimli::DW_AT_low_pc, gimli::DW_AT_ranges];
/// A function with one of these has an entry for each of its tail calls.
const COMPLETE: [DwAt; 5] = [
    gimli::DW_AT_call_all_calls,
    gimli::DW_AT_call_all_source_calls,
    gimli::DW_AT_call_all_tail_calls,
    gimli::DW_AT_GNU_all_call_sites,
    gimli::DW_AT_GNU_all_tail_call_sites,
];

/// The function of an entry.
fn function(unit: UnitRef<Slice>, mut place: UnitOffset) -> Option<Function> {
    let mut is_external = false;
    for _ in 0..MOST_STEPS {
        let entry = unit.entry(place).ok()?;
        is_external |= entry.has_attr(gimli::DW_AT_external);
        let names = [gimli::DW_AT_linkage_name, gimli::DW_AT_MIPS_linkage_name];
        let name = names.into_iter().find_map(|name| entry.attr_value(name));
        let origins = [gimli::DW_AT_abstract_origin, gimli::DW_AT_specification];
        let origin = origins.into_iter().find_map(|name| entry.attr_value(name));
        let last = origin.is_none().then(|| entry.attr_value(gimli::DW_AT_name)).flatten();
        if let Some(name) = name.or(last).filter(|_| is_external) {
            let name = unit.attr_string(name).ok()?;
            return Some(Function::Named(name.to_string_lossy().into_owned()));
        }
        match origin {
            None => return Some(Function::Local(unit_offset(unit).0 + place.0)),
            Some(AttributeValue::UnitRef(other)) => place = other,
            Some(other) => return referred(unit, &other),
        }
    }
    None
}

fn referred(unit: UnitRef<Slice>, value: &AttributeValue<Slice>) -> Option<Function> {
    match value {
        AttributeValue::UnitRef(place) => function(unit, *place),
        // In another unit, after link-time optimisation.
        AttributeValue::DebugInfoRef(place) => Some(Function::Local(place.0)),
        _ => None,
    }
}
