//! Tests that skip visibly, with the reason, where the machine lacks what they need.

use libtest_mimic::{Completion, Failed, Trial};

use crate::{Compiler, Kind};

/// A test that every machine can run. It fails by panicking.
pub fn plain(name: &str, test: fn()) -> Trial {
    Trial::test(name, move || {
        test();
        Ok(())
    })
}

/// A test for each kind of compiler that `need` finds: [`Compiler::need`] or one of its sisters.
pub fn per_compiler(
    name: &str,
    need: fn(Kind) -> Result<Compiler, String>,
    test: fn(Compiler),
) -> Vec<Trial> {
    let trial = |kind: Kind| {
        Trial::ignorable_test(format!("{name}::{}", kind.name()), move || {
            unless_missing(need(kind), |compiler| {
                test(compiler);
                Ok(())
            })
        })
    };
    Kind::ALL.into_iter().map(trial).collect()
}

/// Runs `test` with what it needs, or skips it for the reason why that is not here. On a CI machine
/// everything must be there.
pub fn unless_missing<T>(
    need: Result<T, String>,
    test: impl FnOnce(T) -> Result<(), String>,
) -> Result<Completion, Failed> {
    match need {
        Ok(needed) => Ok(test(needed).map(|()| Completion::Completed)?),
        Err(reason) if std::env::var_os("CI").is_some() => {
            Err(format!("{reason}; .ci/run should have installed it").into())
        }
        Err(reason) => Ok(Completion::ignored_with(reason)),
    }
}
