//! One policy document: parsed strictly, compiled once.

mod principal;
mod resource;
mod statement;

use std::collections::BTreeSet;

use repono_core::name::AccountName;

pub(crate) use self::principal::Principals;
pub(crate) use self::resource::Targets;
pub(crate) use self::statement::Statement;
use crate::error::{DocumentError, Fault};
use crate::json::{Json, Object};
use crate::pattern::{FLOATING_BYTES_MAX, VariableUse};

/// A compiled policy document.
///
/// *Source*: "IAM JSON policy elements reference" of the AWS IAM user guide.
#[derive(Clone, Debug)]
pub struct Document {
    kind: DocumentKind,
    id: Option<Box<str>>,
    statements: Vec<Statement>,
}

/// What a document is written for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DocumentKind {
    /// For a user, a group or an application; it has no principal.
    Identity,
    /// For an account or a container; each statement names its principals.
    Resource,
}

/// What a statement does when it matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    Allow,
    Deny,
}

impl Document {
    /// Largest document, in bytes: AWS's limit of a bucket policy.
    pub const BYTES_MAX: usize = 20 * 1024;
    /// Most statements in a document: more than 20 KiB of useful ones hold, and
    /// few enough that a decision stays in microseconds.
    pub const STATEMENTS_MAX: usize = 100;
    /// Longest `Id` or `Sid`, in bytes: they stand in every audit record.
    pub(crate) const LABEL_BYTES_MAX: usize = 128;

    /// Parses and compiles a document.
    ///
    /// *Shape*: `Version` (required), `Id`, `Statement` (one or a list), each with
    /// `Sid`, `Effect`, `Principal` (resource policies), `Action` or `NotAction`,
    /// `Resource` or `NotResource`, `Condition`. Whatever is not understood is an
    /// error: a part that was skipped could be the one that restricts.
    ///
    /// *Errors*: [`DocumentError`] with the statement and the first fault in it.
    pub fn parse(json: &str, kind: DocumentKind) -> Result<Self, DocumentError> {
        let outside = |fault| DocumentError { statement: None, fault };
        let frame = Frame::parse(json).map_err(outside)?;
        let mut compiled = Vec::with_capacity(frame.statements.len());
        for (number, statement) in (1..).zip(frame.statements) {
            let statement = Statement::parse(statement, kind, frame.variables);
            compiled.push(statement.map_err(|fault| DocumentError { statement: Some(number), fault })?);
        }
        let document = Self { kind, id: frame.id, statements: compiled };
        document.check_whole().map_err(outside)?;
        Ok(document)
    }

    /// What stands in for a stored document that cannot be read: it denies
    /// everything to everyone whom a document at its place could concern.
    ///
    /// A document may deny, so one that cannot be read must not be left out.
    #[must_use]
    pub fn unreadable(kind: DocumentKind) -> Self {
        Self { kind, id: Some("unreadable".into()), statements: vec![Statement::deny_everything(kind)] }
    }

    /// What the document is written for.
    #[must_use]
    pub const fn kind(&self) -> DocumentKind {
        self.kind
    }

    /// Checks that an `Allow` names no other account's resources: a policy kept by
    /// `keeper` cannot grant them, so its author is mistaken. (Such a statement
    /// never matches; this is for whoever stores the policy.)
    ///
    /// *Errors*: [`Fault::ForeignAccount`].
    pub fn check_keeper(&self, keeper: &AccountName) -> Result<(), DocumentError> {
        for (number, statement) in (1..).zip(&self.statements) {
            let foreign = statement.targets.accounts().find(|account| *account != keeper);
            if let (Effect::Allow, Some(account)) = (statement.effect, foreign) {
                let fault = Fault::ForeignAccount { account: account.to_string() };
                return Err(DocumentError { statement: Some(number), fault });
            }
        }
        Ok(())
    }

    pub(crate) fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    pub(crate) fn into_statements(self) -> Vec<Statement> {
        self.statements
    }

    fn check_whole(&self) -> Result<(), Fault> {
        let mut sids = BTreeSet::new();
        for sid in self.statements.iter().filter_map(|s| s.sid.as_deref()) {
            if !sids.insert(sid) {
                return Err(Fault::DuplicateSid { sid: sid.to_owned() });
            }
        }
        if self.statements.iter().map(Statement::floating_bytes).sum::<usize>() > FLOATING_BYTES_MAX {
            return Err(Fault::PatternsTooCostly { max: FLOATING_BYTES_MAX });
        }
        Ok(())
    }
}

/// A document whose statements are not compiled yet.
struct Frame {
    id: Option<Box<str>>,
    variables: VariableUse,
    statements: Vec<Json>,
}

impl Frame {
    fn parse(json: &str) -> Result<Self, Fault> {
        if json.len() > Document::BYTES_MAX {
            return Err(Fault::TooLarge { max: Document::BYTES_MAX });
        }
        let mut document = Json::parse(json)?.object("the document", "an object")?;
        document.only(&["Version", "Id", "Statement"])?;
        let variables = version(document.require("Version")?)?;
        let id = label(&mut document, "Id")?;
        let statements = match document.require("Statement")? {
            Json::List(list) if list.is_empty() => {
                return Err(Fault::shape("Statement", "a statement or a list of at least one"));
            }
            Json::List(list) if list.len() > Document::STATEMENTS_MAX => {
                return Err(Fault::TooManyStatements { max: Document::STATEMENTS_MAX });
            }
            Json::List(list) => list,
            one @ (Json::Null | Json::Scalar(_) | Json::Text(_) | Json::Object(_)) => vec![one],
        };
        Ok(Self { id, variables, statements })
    }
}

/// Version 2008-10-17 differs only in having no policy variables.
fn version(element: Json) -> Result<VariableUse, Fault> {
    match element.text("Version")?.as_str() {
        "2012-10-17" => Ok(VariableUse::Expand),
        "2008-10-17" => Ok(VariableUse::Refuse),
        found => Err(Fault::Version { found: found.to_owned() }),
    }
}

fn label(object: &mut Object, element: &'static str) -> Result<Option<Box<str>>, Fault> {
    let Some(json) = object.take(element) else { return Ok(None) };
    let text = json.text(element)?;
    if text.is_empty() || text.len() > Document::LABEL_BYTES_MAX || text.chars().any(char::is_control) {
        return Err(Fault::Label { element, max: Document::LABEL_BYTES_MAX });
    }
    Ok(Some(text.into()))
}

#[cfg(test)]
mod tests;
