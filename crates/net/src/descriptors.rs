//! How many files and sockets this process may have open.

use std::io;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises the limit on open files as far as the kernel allows without a privilege
/// (the hard limit), and gives it; `None` is no limit. The soft limit that most
/// systems begin with, 1,024, is there for programs that use `select`.
///
/// *Errors*: the kernel's.
pub fn raise_limit() -> io::Result<Option<u64>> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current != maximum {
        setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })?;
    }
    Ok(maximum)
}

#[cfg(test)]
mod tests {
    use rustix::process::{Resource, getrlimit};

    #[test]
    fn the_soft_limit_becomes_the_hard_one() {
        let limit = super::raise_limit().unwrap();
        assert_eq!(getrlimit(Resource::Nofile).current, limit);
        assert!(limit.is_none_or(|limit| limit >= 1024));
    }
}
