//! What one request says under each condition key and policy variable.

use std::cell::OnceCell;
use std::fmt::{self, Write as _};
use std::net::IpAddr;

use repono_core::name::{AccountName, ContainerName, ObjectKey, UserName};

use crate::condition::key::Key;
use crate::pattern::{Resolve, Variable};
use crate::request::{Actor, Request, Resource, Transport, UserIdentity};

/// `container/key` at its longest.
const SUBJECT_BYTES_MAX: usize = ContainerName::BYTES_MAX + 1 + ObjectKey::BYTES_MAX;
/// `arn:aws:iam::ACCOUNT:user/NAME` at its longest.
const ARN_BYTES_MAX: usize = "arn:aws:iam:::user/".len() + AccountName::BYTES_MAX + UserName::BYTES_MAX;
/// Decimal digits of a `u32`.
const USER_ID_BYTES_MAX: usize = 10;

/// A host name at its longest (RFC 1035 section 2.3.4), and some for an address.
const HOST_BYTES_MAX: usize = 255;
/// What Swift calls the host of a request without a referrer.
const NO_HOST: &[u8] = b"unknown";

/// One request, with its derived texts on the stack: made per decision, without
/// allocation.
pub(crate) struct Facts<'r> {
    pub(crate) request: &'r Request<'r>,
    subject: Text<SUBJECT_BYTES_MAX>,
    user_id: OnceCell<Option<Text<USER_ID_BYTES_MAX>>>,
    principal_arn: OnceCell<Option<Text<ARN_BYTES_MAX>>>,
    referer_host: OnceCell<Option<Text<HOST_BYTES_MAX>>>,
}

/// The value of one condition key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fact<'f> {
    Text(&'f [u8]),
    Number(u64),
    Flag(bool),
    Address(IpAddr),
}

impl<'r> Facts<'r> {
    /// `None` if a name were longer than its type allows; the caller refuses then.
    pub(crate) fn of(request: &'r Request<'r>) -> Option<Self> {
        let mut subject = Text::default();
        let written = match request.resource {
            Resource::Account { .. } | Resource::Monitor { .. } => Ok(()),
            Resource::Container { container, .. } => subject.write_str(container.as_str()),
            Resource::Object { container, key, .. } => subject
                .write_str(container.as_str())
                .and_then(|()| subject.write_char('/'))
                .and_then(|()| subject.write_str(key.as_str())),
        };
        written.ok()?;
        Some(Self {
            request,
            subject,
            user_id: OnceCell::new(),
            principal_arn: OnceCell::new(),
            referer_host: OnceCell::new(),
        })
    }

    /// What resource patterns are held against: `container/key`, `container`, or
    /// nothing for the account itself and for the monitor, so that only `*` matches them.
    pub(crate) fn subject(&self) -> &[u8] {
        self.subject.as_bytes()
    }

    pub(crate) const fn user(&self) -> Option<&'r UserIdentity> {
        match self.request.actor {
            Actor::Anyone => None,
            Actor::User(user) => Some(user),
        }
    }

    /// The value of a key; `None` when the request has none.
    pub(crate) fn fact(&self, key: Key) -> Option<Fact<'_>> {
        let context = &self.request.context;
        match key {
            // A client on a dual-stack socket is the same client as on an IPv4 one.
            Key::SourceIp => Some(Fact::Address(context.source_ip.to_canonical())),
            Key::CurrentTime | Key::EpochTime => Some(Fact::Number(context.now_s)),
            Key::SecureTransport => Some(Fact::Flag(context.transport == Transport::Tls)),
            Key::UserAgent => context.user_agent.map(Fact::Text),
            Key::Referer => context.referer.map(Fact::Text),
            Key::RefererHost => Some(Fact::Text(self.referer_host())),
            Key::UserName => self.resolve(Variable::UserName).map(Fact::Text),
            Key::UserId => self.resolve(Variable::UserId).map(Fact::Text),
            Key::Account => self.resolve(Variable::Account).map(Fact::Text),
            Key::Application => self.resolve(Variable::Application).map(Fact::Text),
            Key::PrincipalArn => self.principal_arn().map(Fact::Text),
            Key::Prefix => context.prefix.map(|p| Fact::Text(p.as_bytes())),
            Key::Delimiter => context.delimiter.map(|d| Fact::Text(d.as_bytes())),
            Key::MaxKeys => context.max_keys.map(|n| Fact::Number(n.into())),
        }
    }

    fn principal_arn(&self) -> Option<&[u8]> {
        let arn = self.principal_arn.get_or_init(|| {
            let user = self.user()?;
            Text::written(format_args!("arn:aws:iam::{}:user/{}", user.account, user.user))
        });
        arn.as_ref().map(Text::as_bytes)
    }

    fn referer_host(&self) -> &[u8] {
        let host = self.referer_host.get_or_init(|| {
            let host = str::from_utf8(host_of(self.request.context.referer?)?).ok()?;
            let mut text = Text::default();
            host.chars().try_for_each(|c| text.write_char(c.to_ascii_lowercase())).ok()?;
            Some(text)
        });
        host.as_ref().map_or(NO_HOST, Text::as_bytes)
    }

    fn user_id(&self) -> Option<&[u8]> {
        let id = self.user_id.get_or_init(|| Text::written(format_args!("{}", self.user()?.id)));
        id.as_ref().map(Text::as_bytes)
    }
}

impl Resolve for Facts<'_> {
    fn resolve(&self, variable: Variable) -> Option<&[u8]> {
        match variable {
            Variable::UserName => self.user().map(|u| u.user.as_str().as_bytes()),
            Variable::UserId => self.user_id(),
            Variable::Account => self.user().map(|u| u.account.as_str().as_bytes()),
            Variable::Application => self.user().map(|u| u.application.as_str().as_bytes()),
        }
    }
}

/// The host of an absolute URL (RFC 3986 section 3.2); `None` where there is none.
fn host_of(url: &[u8]) -> Option<&[u8]> {
    let at = url.windows(2).position(|pair| pair == b"//")?;
    let scheme = url.get(..at)?;
    let named = scheme.strip_suffix(b":").unwrap_or(scheme);
    if !named.iter().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(b)) {
        return None;
    }
    let authority = url.get(at + 2..)?.split(|b| b"/?#\\".contains(b)).next()?;
    let host = authority.rsplit(|b| *b == b'@').next()?;
    let host = match host.strip_prefix(b"[") {
        Some(address) => address.split(|b| *b == b']').next()?,
        None => host.split(|b| *b == b':').next()?,
    };
    (!host.is_empty()).then_some(host)
}

/// A text of at most `MAX` bytes, in place.
struct Text<const MAX: usize> {
    bytes: [u8; MAX],
    len: usize,
}

impl<const MAX: usize> Text<MAX> {
    fn written(text: fmt::Arguments<'_>) -> Option<Self> {
        let mut this = Self::default();
        this.write_fmt(text).ok()?;
        Some(this)
    }

    fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

impl<const MAX: usize> Default for Text<MAX> {
    fn default() -> Self {
        Self { bytes: [0; MAX], len: 0 }
    }
}

impl<const MAX: usize> fmt::Write for Text<MAX> {
    /// *Errors*: when the text is full, so that nothing is ever cut short.
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.len + text.len();
        self.bytes.get_mut(self.len..end).ok_or(fmt::Error)?.copy_from_slice(text.as_bytes());
        self.len = end;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::{Text, host_of};

    #[test]
    fn the_host_is_that_of_the_authority() {
        let table: [(&str, Option<&str>); 13] = [
            ("http://example.com/a", Some("example.com")),
            ("https://www.Example.com:8443/a?b", Some("www.Example.com")),
            ("http://good.com@evil.com/", Some("evil.com")),
            ("http://evil.com/http://good.com/", Some("evil.com")),
            ("http://evil.com?//good.com", Some("evil.com")),
            ("http://evil.com#@good.com", Some("evil.com")),
            ("http://evil.com\\@good.com", Some("evil.com")),
            ("http://[2001:db8::1]:80/", Some("2001:db8::1")),
            ("//example.com", Some("example.com")),
            ("example.com/a", None),
            ("evil.com/x//good.com", None),
            ("http:///path", None),
            ("", None),
        ];
        for (url, host) in table {
            assert_eq!(host_of(url.as_bytes()), host.map(str::as_bytes), "{url}");
        }
    }

    #[test]
    fn a_text_is_whole_or_an_error() {
        let mut text = Text::<4>::default();
        assert!(text.write_str("abc").is_ok());
        assert!(text.write_str("de").is_err());
        assert_eq!(text.as_bytes(), b"abc");
        assert!(Text::<4>::written(format_args!("{}", 12345)).is_none());
    }
}
