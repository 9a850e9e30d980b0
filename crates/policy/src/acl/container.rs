//! `X-Container-Read` and `X-Container-Write`.

use serde_json::{Value, json};

use super::{AclError, allow, document, principals};

/// What a list grants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Right {
    /// Objects GET and HEAD; the listing too, for users and with `.rlistings`.
    Read,
    /// Objects PUT, POST, DELETE.
    Write,
}

/// A list of one container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerAcl {
    right: Right,
    elements: Vec<Element>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Element {
    /// `.r:host`, `.r:.domain`, `.r:*`
    Referrer(String),
    /// `.r:-host`, `.r:-.domain`
    NotReferrer(String),
    /// `.rlistings`, `account`, `account:user`, or what names nobody.
    Name(String),
}

const LISTINGS: &str = ".rlistings";

impl ContainerAcl {
    /// Reads the value of the header and puts it into Swift's canonical form.
    ///
    /// *Errors*: `Referrer`, `Designator`.
    pub fn parse(value: &str, right: Right) -> Result<Self, AclError> {
        let named = value.split(',').map(str::trim).filter(|element| !element.is_empty());
        let elements = named.map(|element| Element::parse(element, right)).collect::<Result<_, _>>()?;
        Ok(Self { right, elements })
    }

    /// The canonical form; empty for a list without elements.
    #[must_use]
    pub fn text(&self) -> String {
        self.elements.iter().map(Element::text).collect::<Vec<_>>().join(",")
    }

    /// The resource policy that the list means; `None` when it grants nothing.
    ///
    /// *Errors*: `TooLong`.
    pub fn policy(&self) -> Result<Option<String>, AclError> {
        match self.right {
            Right::Read => {
                let mut statements = self.referrers();
                statements.extend(allow(self.principals(), &["s3:GetObject", "s3:ListBucket"]));
                document("X-Container-Read", &statements)
            }
            Right::Write => {
                let statement = allow(self.principals(), &["s3:PutObject", "s3:DeleteObject"]);
                document("X-Container-Write", statement.as_slice())
            }
        }
    }

    fn principals(&self) -> Vec<String> {
        principals(self.elements.iter().filter_map(|element| match element {
            Element::Name(name) => Some(name.as_str()),
            Element::Referrer(_) | Element::NotReferrer(_) => None,
        }))
    }

    /// One statement for each run of referrers: the last element that matches
    /// wins, so a run holds unless an exception behind it matches.
    fn referrers(&self) -> Vec<Value> {
        let mut statements = Vec::new();
        let mut exceptions: Vec<String> = Vec::new();
        let mut run: Vec<&str> = Vec::new();
        for element in self.elements.iter().rev() {
            match element {
                Element::Referrer(host) => run.push(host),
                Element::NotReferrer(host) => {
                    statements.extend(self.referrer_statement(&run, &exceptions));
                    run.clear();
                    exceptions.extend(host_pattern(host));
                }
                Element::Name(_) => {}
            }
        }
        statements.extend(self.referrer_statement(&run, &exceptions));
        statements
    }

    fn referrer_statement(&self, run: &[&str], exceptions: &[String]) -> Option<Value> {
        let hosts: Vec<_> = run.iter().filter_map(|host| host_pattern(host)).collect();
        if hosts.is_empty() {
            return None;
        }
        let actions: &[&str] =
            if self.lists() { &["s3:GetObject", "s3:ListBucket"] } else { &["s3:GetObject"] };
        let mut conditions = serde_json::Map::new();
        if !hosts.iter().any(|host| host == "*") {
            conditions.insert("StringLike".into(), json!({"repono:RefererHost": hosts}));
        }
        if !exceptions.is_empty() {
            conditions.insert("StringNotLike".into(), json!({"repono:RefererHost": exceptions}));
        }
        let mut statement = json!({"Effect": "Allow", "Principal": "*", "Action": actions, "Resource": "*"});
        if let (false, Some(members)) = (conditions.is_empty(), statement.as_object_mut()) {
            members.insert("Condition".into(), Value::Object(conditions));
        }
        Some(statement)
    }

    fn lists(&self) -> bool {
        self.elements.iter().any(|element| matches!(element, Element::Name(name) if name == LISTINGS))
    }
}

impl Element {
    fn parse(text: &str, right: Right) -> Result<Self, AclError> {
        let Some((designator, host)) = text.split_once(':') else {
            return Ok(Self::Name(text.to_owned()));
        };
        match designator.trim() {
            ".r" | ".ref" | ".referer" | ".referrer" if right == Right::Read => Self::referrer(host.trim()),
            ".r" | ".ref" | ".referer" | ".referrer" => Err(AclError::Referrer),
            other if other.starts_with('.') => Err(AclError::Designator),
            _account => Ok(Self::Name(text.to_owned())),
        }
    }

    /// Strips to the end what Swift strips once: the text must mean the same when
    /// it is read again.
    fn referrer(mut host: &str) -> Result<Self, AclError> {
        let mut negated = false;
        loop {
            match (host.strip_prefix('-'), host.strip_prefix('*')) {
                (Some(rest), _) if !negated => {
                    negated = true;
                    host = rest.trim();
                }
                (_, Some(domain)) if !domain.is_empty() => host = domain.trim(),
                _ => break,
            }
        }
        match (host, negated) {
            ("" | ".", _) => Err(AclError::Referrer),
            (host, true) => Ok(Self::NotReferrer(host.to_owned())),
            (host, false) => Ok(Self::Referrer(host.to_owned())),
        }
    }

    fn text(&self) -> String {
        match self {
            Self::Referrer(host) => format!(".r:{host}"),
            Self::NotReferrer(host) => format!(".r:-{host}"),
            Self::Name(name) => name.clone(),
        }
    }
}

/// The pattern of a host or of a `.domain`; `None` for a text that no host can
/// have, so that it can never act as a pattern of another kind.
fn host_pattern(host: &str) -> Option<String> {
    if host == "*" {
        return Some("*".into());
    }
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b':');
    if !host.bytes().all(plain) {
        return None;
    }
    let any = if host.starts_with('.') { "*" } else { "" };
    Some(format!("{any}{}", host.to_ascii_lowercase()))
}
