//! Who the client is and where it goes, from a TOML file.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use repono_core::name::{AccountName, ApplicationName, ContainerName, NameError, UserName};
use serde::Deserialize;

use crate::endpoint::{Endpoint, EndpointError};
use crate::secret::Secret;

/// A profile is a page of text; more is some other file.
const FILE_BYTES_MAX: u64 = 64 << 10;

/// Where Linux distributions keep the certificates they trust.
const SYSTEM_CA: [&str; 3] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];

/// Endpoint, credentials and defaults of the client commands.
pub struct Profile {
    /// Where it was read from.
    pub path: PathBuf,
    /// The tenant.
    pub account: AccountName,
    /// The user within it.
    pub user: UserName,
    /// The application that asks in the user's name.
    pub application: ApplicationName,
    /// The container of commands that name none.
    pub container: Option<ContainerName>,
    /// The administrators' unix socket, on the machine that has one.
    pub admin: Option<PathBuf>,
    /// Keys of the S3 interface, for tools that are configured from this file.
    pub s3: Option<S3Keys>,
    /// What a careful reader should know.
    pub warnings: Vec<ProfileWarning>,
    pub(crate) endpoint: Endpoint,
    pub(crate) vending: Endpoint,
    pub(crate) monitor: Option<Endpoint>,
    pub(crate) ca_pem: Vec<u8>,
    pub(crate) user_secret: Secret,
    pub(crate) application_secret: Secret,
}

/// An access key of the S3 interface.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct S3Keys {
    /// The public half.
    pub access_key_id: String,
    /// The secret half.
    pub secret_access_key: Secret,
}

/// Something about a profile that works and should be changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProfileWarning {
    /// Others may read the file, and it holds a secret: mode 0600 is right.
    Readable {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
}

impl std::fmt::Display for ProfileWarning {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Readable { path, mode } => write!(
                f,
                "{} holds a secret and has mode {mode:04o}: others may read it; use chmod 600",
                path.display()
            ),
        }
    }
}

/// Why there is no usable profile.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    /// None was named, and there is none in the usual place.
    #[error("no profile: name one with --profile or REPONO_PROFILE, or write {}", usual.display())]
    Missing {
        /// The usual place.
        usual: PathBuf,
    },
    /// A file cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is too large to be what it should be.
    #[error("{} is larger than {FILE_BYTES_MAX} bytes", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// Not TOML, or a key that is unknown, missing or of the wrong type. The
    /// message is the parser's, without the line, which may hold a secret.
    #[error("{} line {line}: {message}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong.
        message: String,
    },
    /// A value is not a valid name.
    #[error("`{key}` in the profile is not a valid name")]
    Name {
        /// The key.
        key: &'static str,
        /// Which rule it breaks.
        source: NameError,
    },
    /// A value is not the URL of a service.
    #[error("`{key}` in the profile is not the URL of a service")]
    Url {
        /// The key.
        key: &'static str,
        /// What is wrong.
        source: EndpointError,
    },
    /// A secret is given neither in the file, nor by a file, nor by the
    /// environment; or more than once in the profile.
    #[error("the profile needs exactly one of `{key}` and `{key}_file`, or the variable {variable}")]
    Secret {
        /// The key.
        key: &'static str,
        /// The variable that may hold it instead.
        variable: &'static str,
    },
    /// No `ca`, and no certificates where the system keeps them.
    #[error("the profile has no `ca`, and the system has no certificates to trust")]
    NoCa,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    endpoint: String,
    vending: String,
    monitor: Option<String>,
    ca: Option<PathBuf>,
    account: String,
    user: String,
    user_secret: Option<Secret>,
    user_secret_file: Option<PathBuf>,
    application: String,
    application_secret: Option<Secret>,
    application_secret_file: Option<PathBuf>,
    container: Option<String>,
    admin: Option<PathBuf>,
    s3: Option<S3Keys>,
}

impl Profile {
    /// Reads the profile named on the command line, else by `REPONO_PROFILE`, else
    /// `$XDG_CONFIG_HOME/repono/profile.toml` or `~/.config/repono/profile.toml`.
    ///
    /// Paths in it are relative to its folder. `REPONO_USER_SECRET` and
    /// `REPONO_APPLICATION_SECRET` stand in for the secrets. `env` is the
    /// environment, passed in.
    ///
    /// *Errors*: [`ProfileError`]; none shows a value of the file.
    pub fn load(path: Option<&Path>, env: &dyn Fn(&str) -> Option<OsString>) -> Result<Self, ProfileError> {
        let path = find(path, env)?;
        let text = zeroize::Zeroizing::new(read(&path)?);
        let raw: Raw = toml::from_str(&text).map_err(|error| syntax(&path, &text, &error))?;
        let warnings = warnings(&path, &raw)?;
        let near = |file: &Path| path.parent().unwrap_or(Path::new("")).join(file);
        let secret = |key, variable, direct, file: Option<PathBuf>| {
            Given { key, variable, direct, file: file.as_deref().map(near) }.secret(env)
        };
        Ok(Self {
            endpoint: url("endpoint", &raw.endpoint)?,
            vending: url("vending", &raw.vending)?,
            monitor: raw.monitor.as_deref().map(|monitor| url("monitor", monitor)).transpose()?,
            ca_pem: ca(raw.ca.as_deref().map(near))?,
            account: raw.account.parse().map_err(|source| ProfileError::Name { key: "account", source })?,
            user: raw.user.parse().map_err(|source| ProfileError::Name { key: "user", source })?,
            user_secret: secret("user_secret", "REPONO_USER_SECRET", raw.user_secret, raw.user_secret_file)?,
            application: raw
                .application
                .parse()
                .map_err(|source| ProfileError::Name { key: "application", source })?,
            application_secret: secret(
                "application_secret",
                "REPONO_APPLICATION_SECRET",
                raw.application_secret,
                raw.application_secret_file,
            )?,
            container: raw
                .container
                .map(|name| name.parse())
                .transpose()
                .map_err(|source| ProfileError::Name { key: "container", source })?,
            admin: raw.admin.as_deref().map(near),
            s3: raw.s3,
            warnings,
            path,
        })
    }

    /// The URL of the balancer.
    #[must_use]
    pub fn endpoint(&self) -> String {
        self.endpoint.to_string()
    }

    /// The URL of the monitor, if there is one.
    #[must_use]
    pub fn monitor(&self) -> Option<String> {
        self.monitor.as_ref().map(Endpoint::to_string)
    }

    /// Asks this monitor instead of the profile's.
    ///
    /// *Errors*: [`EndpointError`].
    pub fn use_monitor(&mut self, monitor: &str) -> Result<(), EndpointError> {
        self.monitor = Some(Endpoint::parse(monitor)?);
        Ok(())
    }

    /// The URL of vending.
    #[must_use]
    pub fn vending(&self) -> String {
        self.vending.to_string()
    }
}

/// The three places where a secret can stand.
struct Given {
    key: &'static str,
    variable: &'static str,
    direct: Option<Secret>,
    file: Option<PathBuf>,
}

impl Given {
    /// The environment's, else the one that the profile gives; it may give one only.
    fn secret(self, env: &dyn Fn(&str) -> Option<OsString>) -> Result<Secret, ProfileError> {
        let Self { key, variable, direct, file } = self;
        let from_env = env(variable).and_then(|v| v.into_string().ok()).filter(|v| !v.is_empty());
        match (from_env, direct, file) {
            (Some(value), _, _) => Ok(Secret::new(value)),
            (None, Some(value), None) => Ok(value),
            (None, None, Some(file)) => {
                let text = zeroize::Zeroizing::new(read(&file)?);
                Ok(Secret::new(text.trim_end_matches(['\r', '\n']).to_owned()))
            }
            (None, _, _) => Err(ProfileError::Secret { key, variable }),
        }
    }
}

fn find(path: Option<&Path>, env: &dyn Fn(&str) -> Option<OsString>) -> Result<PathBuf, ProfileError> {
    if let Some(path) = path {
        return Ok(path.to_owned());
    }
    let set = |name| env(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    if let Some(path) = set("REPONO_PROFILE") {
        return Ok(path);
    }
    let config = set("XDG_CONFIG_HOME").or_else(|| set("HOME").map(|home| home.join(".config")));
    let usual = config.unwrap_or_else(|| PathBuf::from("/etc")).join("repono/profile.toml");
    if usual.exists() { Ok(usual) } else { Err(ProfileError::Missing { usual }) }
}

fn read(path: &Path) -> Result<String, ProfileError> {
    let failed = |source| ProfileError::Read { path: path.to_owned(), source };
    if fs::metadata(path).map_err(failed)?.len() > FILE_BYTES_MAX {
        return Err(ProfileError::TooLarge { path: path.to_owned() });
    }
    fs::read_to_string(path).map_err(failed)
}

/// The parser's own display quotes the line, which may be that of a secret.
fn syntax(path: &Path, text: &str, error: &toml::de::Error) -> ProfileError {
    let at = error.span().map_or(0, |span| span.start);
    let line = text.bytes().take(at).filter(|b| *b == b'\n').count() + 1;
    ProfileError::Syntax { path: path.to_owned(), line, message: error.message().to_owned() }
}

fn warnings(path: &Path, raw: &Raw) -> Result<Vec<ProfileWarning>, ProfileError> {
    let secret = raw.user_secret.is_some() || raw.application_secret.is_some() || raw.s3.is_some();
    let failed = |source| ProfileError::Read { path: path.to_owned(), source };
    let mode = fs::metadata(path).map_err(failed)?.permissions().mode() & 0o777;
    if secret && mode & 0o077 != 0 {
        return Ok(vec![ProfileWarning::Readable { path: path.to_owned(), mode }]);
    }
    Ok(Vec::new())
}

fn ca(path: Option<PathBuf>) -> Result<Vec<u8>, ProfileError> {
    let system = || SYSTEM_CA.iter().map(PathBuf::from).find(|path| path.exists());
    let path = path.or_else(system).ok_or(ProfileError::NoCa)?;
    fs::read(&path).map_err(|source| ProfileError::Read { path, source })
}

fn url(key: &'static str, text: &str) -> Result<Endpoint, ProfileError> {
    Endpoint::parse(text).map_err(|source| ProfileError::Url { key, source })
}

#[cfg(test)]
mod tests;
