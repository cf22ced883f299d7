//! Tests that are shown as ignored, with the reason, if the machine lacks something they need.

use libtest_mimic::{Completion, Failed, Trial};

use crate::{Compiler, Kind};

/// A test that every machine can run. The test fails if `test` panics.
pub fn plain(name: &str, test: fn()) -> Trial {
    Trial::test(name, move || {
        test();
        Ok(())
    })
}

/// A test for each family of compilers. `need` finds the compiler, as [`Compiler::need`] does.
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

/// Runs `test` with the thing that it needs. If the thing is missing, the test is skipped for that
/// reason; where CI is set the test fails, because a CI machine must have everything.
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
