//! What an event says.

use std::fmt;

use super::scan::trim_start;
use super::{Level, Section};

/// `Type#hash`. The hash is not unique for ever: it may be another object's later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Object<'a> {
    pub(crate) class: &'a str,
    pub(crate) hash: &'a str,
}

/// `Type#hash::Method`, with or without the hash or the method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Target<'a> {
    pub(crate) class: &'a str,
    pub(crate) hash: Option<&'a str>,
    pub(crate) method: Option<&'a str>,
}

/// What stands between a target and what is said of it: ` - `, or what a page of
/// the web made of it.
pub(crate) type Dash<'a> = &'a str;

/// A message; its first line, where it has several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Message<'a> {
    /// `"Associating" A "with" B`
    Associate { one: Object<'a>, other: Object<'a> },
    /// `["Entering "]A::Method(arguments)`; the arguments may go on in the next line.
    Call { entering: bool, target: Target<'a>, arguments: &'a str },
    /// `"Exiting" A::Method() ["->" value]`
    Return { target: Target<'a>, arguments: &'a str, value: Option<(&'a str, &'a str)> },
    /// `"Data from" A::Method`
    DataFrom { target: Target<'a> },
    /// `00000010 : 72 76 … : text`
    Octets { offset: &'a str, octets: &'a str },
    /// `<<text>>`
    Text(&'a str),
    /// `(printing n out of m)`
    Part(&'a str),
    /// `A - text`, `A::Method() - text`
    Remark { target: Target<'a>, arguments: &'a str, dash: Dash<'a>, text: &'a str },
    /// `Exception in the A::Method - text`; the first words are localised.
    Exception { lead: &'a str, target: Target<'a>, dash: Dash<'a>, text: &'a str },
    /// `Function(arguments)` of the security packages.
    Security { function: &'a str, arguments: &'a str },
    /// `Name=value`
    Value { name: &'a str, value: &'a str },
    /// `Remote certificate: […`: lines of its fields follow.
    Certificate { lead: &'a str, text: &'a str },
    /// One of the sentences that a trace says of the machine.
    Sentence(&'a str),
    /// The name of a security package, after the sentence that announces them.
    Package(&'a str),
}

/// Functions of the security packages, whose names are those of SSPI.
const SECURITY: [&str; 8] = [
    "InitializeSecurityContext",
    "AcceptSecurityContext",
    "AcquireDefaultCredential",
    "AcquireCredentialsHandle",
    "ProcessAuthentication",
    "EndProcessAuthentication",
    "ApplyControlToken",
    "EnumerateSecurityPackages",
];

/// The beginnings of sentences without an object.
const SENTENCES: [&str; 9] = [
    "Using the cached credential handle",
    "Enumerating security packages",
    "Current OS installation type is",
    "RAS supported:",
    "Certificate is of type",
    "Locating the private key",
    "Remote certificate was",
    "Using proxy",
    "Unable to find",
];

/// The longest name of a security package: those that Windows has are below 50 bytes.
const PACKAGE_BYTES_MAX: usize = 64;

/// What announces [`Message::Package`].
const PACKAGES: &str = "Enumerating security packages";

impl<'a> Message<'a> {
    /// Parses the rest of an event's line; `listing`: the thread's last message was a
    /// package, or announced them. `None` for a text of no known form.
    pub(crate) fn parse(rest: &'a str, level: Level, listing: bool) -> Option<Self> {
        if let Some(names) = rest.strip_prefix("Associating ") {
            let (one, other) = names.split_once(" with ")?;
            return Some(Self::Associate { one: Object::parse(one)?, other: Object::parse(other)? });
        }
        if let Some(target) = rest.strip_prefix("Data from ") {
            return whole(target).map(|target| Self::DataFrom { target });
        }
        if let Some(after) = rest.strip_prefix("Exiting ") {
            return returned(after);
        }
        if rest.starts_with("<<") {
            return Some(Self::Text(rest));
        }
        if rest.starts_with("(printing ") {
            return Some(Self::Part(rest));
        }
        octets(rest)
            .or_else(|| called(rest))
            .or_else(|| certificate(rest))
            .or_else(|| exception(rest, level))
            .or_else(|| sentence(rest))
            .or_else(|| (listing && is_package(rest)).then_some(Self::Package(rest)))
    }

    /// The section of a certificate that begins at its end: `Remote certificate: [Version]`.
    pub(crate) fn certificate(&self) -> Option<Section> {
        match self {
            Self::Certificate { text, .. } => Section::of(text),
            Self::Remark { text, .. } => Section::of(text.rsplit_once(": ")?.1),
            _ => None,
        }
    }

    /// Whether names of packages may follow.
    pub(crate) fn lists_packages(&self) -> bool {
        match self {
            Self::Package(_) => true,
            Self::Sentence(text) => text.starts_with(PACKAGES),
            _ => false,
        }
    }
}

impl<'a> Object<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let (target, rest) = Target::take(text)?;
        let hash = target.hash?;
        (rest.is_empty() && target.method.is_none()).then_some(Self { class: target.class, hash })
    }
}

impl<'a> Target<'a> {
    /// The target at the beginning, and what follows it.
    fn take(text: &'a str) -> Option<(Self, &'a str)> {
        let (class, mut rest) = name(text)?;
        let mut hash = None;
        if let Some(after) = rest.strip_prefix('#') {
            let digits = after.strip_prefix('-').unwrap_or(after);
            let count = digits.bytes().take_while(u8::is_ascii_digit).count();
            let length = after.len() - digits.len() + count;
            if count == 0 {
                return None;
            }
            (hash, rest) = (after.get(..length), after.get(length..)?);
        }
        let mut method = None;
        if let Some(after) = rest.strip_prefix("::") {
            let dot = usize::from(after.starts_with('.'));
            let length = after.get(dot..).and_then(name).map_or(0, |(name, _)| name.len() + dot);
            (method, rest) = (after.get(..length), after.get(length..)?);
        }
        (hash.is_some() || method.is_some()).then_some((Self { class, hash, method }, rest))
    }

    pub(crate) const fn object(self) -> Option<Object<'a>> {
        match self.hash {
            Some(hash) => Some(Object { class: self.class, hash }),
            None => None,
        }
    }
}

/// A name of .NET, also of a generic or nested type.
fn name(text: &str) -> Option<(&str, &str)> {
    let part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '`' | '<' | '>' | '+' | '[' | ']');
    let end = text.find(|c| !part(c)).unwrap_or(text.len());
    text.starts_with(|c: char| c.is_alphabetic() || matches!(c, '_' | '<'))
        .then(|| text.split_at_checked(end))
        .flatten()
}

fn whole(text: &str) -> Option<Target<'_>> {
    Target::take(text).filter(|(_, rest)| rest.is_empty()).map(|(target, _)| target)
}

/// ` - ` and its kin, and the rest.
fn dash(text: &str) -> Option<(Dash<'_>, &str)> {
    let (blank, after) = trim_start(text);
    let after =
        ["-", "\u{2013}", "\u{2014}", "&#8211;", "&ndash;"].iter().find_map(|d| after.strip_prefix(d))?;
    let (_, rest) = trim_start(after);
    let dash = text.get(..text.len() - rest.len())?;
    (!blank.is_empty()).then_some((dash, rest))
}

/// `A::Method(arguments)`, `A - text`, `Function(arguments)`, `Name=value`.
fn called(rest: &str) -> Option<Message<'_>> {
    let stripped = rest.strip_prefix("Entering ");
    let Some((target, after)) = Target::take(stripped.unwrap_or(rest)) else { return bare(rest) };
    if stripped.is_none()
        && let Some((dash, text)) = dash(after)
    {
        return Some(Message::Remark { target, arguments: "", dash, text });
    }
    // Only what a method is given stands in parentheses.
    if !after.starts_with('(') || target.method.is_none() {
        return None;
    }
    if stripped.is_none()
        && let Some(close) = after.find(')')
        && let (arguments, said) = after.split_at_checked(close + 1)?
        && let Some((dash, text)) = dash(said)
    {
        return Some(Message::Remark { target, arguments, dash, text });
    }
    Some(Message::Call { entering: stripped.is_some(), target, arguments: after })
}

fn bare(rest: &str) -> Option<Message<'_>> {
    let (function, arguments) = name(rest)?;
    if arguments.starts_with('(') && SECURITY.contains(&function) {
        return Some(Message::Security { function, arguments });
    }
    let value = arguments.strip_prefix('=')?;
    Some(Message::Value { name: function, value })
}

fn returned(after: &str) -> Option<Message<'_>> {
    let (target, rest) = Target::take(after)?;
    let close = rest.find(')').filter(|_| rest.starts_with('(')).map_or(0, |at| at + 1);
    let (arguments, value) = rest.split_at_checked(close)?;
    let value = match value.find("->") {
        Some(at) => {
            let (_, text) = trim_start(value.get(at + 2..)?);
            Some(value.split_at_checked(value.len() - text.len())?)
        }
        None if value.is_empty() => None,
        None => return None,
    };
    Some(Message::Return { target, arguments, value })
}

fn octets(rest: &str) -> Option<Message<'_>> {
    let (offset, octets) = rest.split_at_checked(8)?;
    let hex = offset.bytes().all(|b| b.is_ascii_hexdigit());
    (hex && octets.starts_with(" : ")).then_some(Message::Octets { offset, octets })
}

/// `words: [Version]`, whatever the words.
fn certificate(rest: &str) -> Option<Message<'_>> {
    let at = rest.find(": [")?;
    let (lead, text) = rest.split_at_checked(at + 2)?;
    (!lead.contains('#') && Section::of(text).is_some()).then_some(Message::Certificate { lead, text })
}

/// The name of a security package, such as `Microsoft Unified Security Protocol Provider`.
fn is_package(text: &str) -> bool {
    text.len() <= PACKAGE_BYTES_MAX && text.chars().all(|c| c.is_alphanumeric() || " -_".contains(c))
}

/// Some words, then a target, then a dash: at the level of errors only.
fn exception(rest: &str, level: Level) -> Option<Message<'_>> {
    const WORDS_MAX: usize = 6;
    if !matches!(level, Level::Error | Level::Critical | Level::Warning) {
        return None;
    }
    let starts = rest.match_indices(' ').map(|(at, _)| at + 1).take(WORDS_MAX);
    starts.into_iter().find_map(|at| {
        let (lead, from) = rest.split_at_checked(at)?;
        let (target, after) = Target::take(from)?;
        let (dash, text) = dash(after)?;
        target.method.is_some().then_some(Message::Exception { lead, target, dash, text })
    })
}

fn sentence(rest: &str) -> Option<Message<'_>> {
    SENTENCES.iter().any(|known| rest.starts_with(known)).then_some(Message::Sentence(rest))
}

impl fmt::Display for Object<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.class, self.hash)
    }
}

impl fmt::Display for Target<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.class)?;
        if let Some(hash) = self.hash {
            write!(f, "#{hash}")?;
        }
        self.method.map_or(Ok(()), |method| write!(f, "::{method}"))
    }
}

impl fmt::Display for Message<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Associate { one, other } => write!(f, "Associating {one} with {other}"),
            Self::Call { entering, target, arguments } => {
                let entering = if *entering { "Entering " } else { "" };
                write!(f, "{entering}{target}{arguments}")
            }
            Self::Return { target, arguments, value } => {
                let (arrow, value) = value.unwrap_or_default();
                write!(f, "Exiting {target}{arguments}{arrow}{value}")
            }
            Self::DataFrom { target } => write!(f, "Data from {target}"),
            Self::Octets { offset, octets } => write!(f, "{offset}{octets}"),
            Self::Remark { target, arguments, dash, text } => write!(f, "{target}{arguments}{dash}{text}"),
            Self::Exception { lead, target, dash, text } => write!(f, "{lead}{target}{dash}{text}"),
            Self::Security { function, arguments } => write!(f, "{function}{arguments}"),
            Self::Value { name, value } => write!(f, "{name}={value}"),
            Self::Certificate { lead, text } => write!(f, "{lead}{text}"),
            Self::Text(text) | Self::Part(text) | Self::Sentence(text) | Self::Package(text) => {
                f.write_str(text)
            }
        }
    }
}
