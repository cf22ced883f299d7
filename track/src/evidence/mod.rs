//! Which get nobody undid: found from all objects of a type, when a report is made.
//!
//! One object's gets and puts seldom tell which get a put undoes. All objects of a type together do: those that were
//! released show who gives what back, and one explanation must hold for all of them.
//!
//! | file | what it has |
//! |---|---|
//! | alive.rs | the live objects, which keep references on others |
//! | log.rs | each thread's last stacks, and what two of them have in common |
//! | passes.rs | whether a get and a put were in one pass of one call |
//! | history.rs | the gets and puts of an object, and the histories of objects that were released |
//! | plain.rs | pairs that long histories do without |
//! | classes.rs | stacks without the functions that only wrap a get or a put |
//! | words.rs | what the names of functions tell |
//! | places.rs | where a reference is kept, as the source tells |
//! | callbacks.rs | functions that a reference is handed on with |
//! | statements.rs | which expression a call in a source line is about |
//! | cost.rs | how well a put fits a get |
//! | assign.rs | the cheapest assignment of puts to gets |
//! | explanation.rs | what an explanation of all objects of a type is made of |
//! | price.rs | what an explanation costs |
//! | explain.rs | explanations, by what may leak |
//! | improve.rs | better ones near them |
//! | totals.rs | explanations of objects without a history |
//! | verdict.rs | who is blamed, and how certain that is |

mod alive;
mod assign;
mod callbacks;
mod classes;
mod cost;
mod explain;
mod explanation;
mod history;
mod improve;
mod log;
mod passes;
mod places;
mod plain;
mod price;
mod statements;
mod totals;
mod verdict;
mod words;

pub use alive::Alive;
pub use classes::What;
pub use history::{Evidence, begin, fold, is_kept, note};
pub use passes::Passes;
#[cfg(feature = "fuzzing")]
pub use places::told;
pub use verdict::{Blame, Certainty, Line, Mass, judge};
