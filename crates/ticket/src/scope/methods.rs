//! A set of request methods.

use std::fmt;

use repono_core::request::Method;

/// One bit for each method, in the order of [`Method::ALL`].
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct MethodSet(u8);

impl MethodSet {
    /// Parses `GET,HEAD`: different methods, at least one.
    pub(super) fn parse(list: &str) -> Option<Self> {
        list.split(',').try_fold(Self(0), |set, name| {
            let method = Method::parse(name.as_bytes())?;
            if set.contains(method) { None } else { Some(Self(set.0 | bit(method))) }
        })
    }

    pub(super) const fn contains(self, method: Method) -> bool {
        self.0 & bit(method) != 0
    }
}

impl fmt::Display for MethodSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let members = Method::ALL.into_iter().filter(|m| self.contains(*m));
        for (at, method) in members.enumerate() {
            if at > 0 {
                f.write_str(",")?;
            }
            f.write_str(method.as_str())?;
        }
        Ok(())
    }
}

const fn bit(method: Method) -> u8 {
    match method {
        Method::Get => 1,
        Method::Head => 1 << 1,
        Method::Put => 1 << 2,
        Method::Post => 1 << 3,
        Method::Delete => 1 << 4,
        Method::Copy => 1 << 5,
        Method::Options => 1 << 6,
    }
}
