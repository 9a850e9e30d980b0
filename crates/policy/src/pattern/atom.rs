//! The pieces of a pattern between two stars.

use crate::error::Fault;

/// One piece.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Atom {
    /// These bytes: UTF-8.
    Literal(Vec<u8>),
    /// `?`: one character.
    One,
    /// The value of a policy variable, taken literally whatever it holds.
    Variable(Variable),
}

/// A policy variable: a fact about the actor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Variable {
    /// `${aws:username}`
    UserName,
    /// `${aws:userid}`
    UserId,
    /// `${repono:account}`
    Account,
    /// `${repono:application}`
    Application,
}

/// Whether `*` and `?` stand for other text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wildcards {
    /// They do.
    Active,
    /// They stand for themselves.
    Literal,
}

/// Whether `${…}` may stand in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum VariableUse {
    /// It is replaced by its value.
    Expand,
    /// It is an error: in language version 2008-10-17 it would be plain text,
    /// which no author means.
    Refuse,
}

/// The values of variables in one request.
pub(crate) trait Resolve {
    fn resolve(&self, variable: Variable) -> Option<&[u8]>;
}

/// For patterns without variables.
pub(crate) struct NoVariables;

impl Resolve for NoVariables {
    fn resolve(&self, _: Variable) -> Option<&[u8]> {
        None
    }
}

impl Atom {
    pub(super) fn weight(&self) -> usize {
        match self {
            Self::Literal(bytes) => bytes.len(),
            Self::One | Self::Variable(_) => 1,
        }
    }

    pub(super) fn literal<'a>(&'a self, values: &'a impl Resolve) -> Option<&'a [u8]> {
        match self {
            Self::Literal(bytes) => Some(bytes),
            Self::Variable(variable) => values.resolve(*variable),
            Self::One => None,
        }
    }
}

impl Variable {
    fn parse(name: &str) -> Option<Self> {
        const NAMES: [(&str, Variable); 4] = [
            ("aws:username", Variable::UserName),
            ("aws:userid", Variable::UserId),
            ("repono:account", Variable::Account),
            ("repono:application", Variable::Application),
        ];
        NAMES.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, variable)| *variable)
    }
}

/// Cuts a text at its stars.
pub(super) fn stretches(
    text: &str,
    wildcards: Wildcards,
    variables: VariableUse,
) -> Result<Vec<Vec<Atom>>, Fault> {
    let mut done = Vec::new();
    let mut stretch = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        if let Some(after) = rest.strip_prefix("${") {
            let (atom, after) = variable(text, after, variables)?;
            push(&mut stretch, atom);
            rest = after;
            continue;
        }
        let (piece, after) = rest.split_at(first.len_utf8());
        match (first, wildcards) {
            ('*', Wildcards::Active) => done.push(std::mem::take(&mut stretch)),
            ('?', Wildcards::Active) => stretch.push(Atom::One),
            _ => push(&mut stretch, Atom::Literal(piece.into())),
        }
        rest = after;
    }
    done.push(stretch);
    Ok(done)
}

fn variable<'t>(text: &str, after: &'t str, variables: VariableUse) -> Result<(Atom, &'t str), Fault> {
    if variables == VariableUse::Refuse {
        return Err(Fault::VariableVersion { text: text.to_owned() });
    }
    let Some((name, rest)) = after.split_once('}') else {
        return Err(Fault::OpenVariable { text: text.to_owned() });
    };
    let atom = match name {
        "*" | "?" | "$" => Atom::Literal(name.into()),
        name => match Variable::parse(name) {
            Some(variable) => Atom::Variable(variable),
            None => return Err(Fault::UnknownVariable { name: name.to_owned() }),
        },
    };
    Ok((atom, rest))
}

/// Appends, joining literals.
fn push(stretch: &mut Vec<Atom>, atom: Atom) {
    match (stretch.last_mut(), atom) {
        (Some(Atom::Literal(before)), Atom::Literal(more)) => before.extend(more),
        (_, atom) => stretch.push(atom),
    }
}

/// What follows these atoms at the start of the text.
pub(super) fn strip_start<'t>(atoms: &[Atom], text: &'t [u8], values: &impl Resolve) -> Option<&'t [u8]> {
    atoms.iter().try_fold(text, |rest, atom| match atom {
        Atom::One => {
            let (_, after) = rest.split_first()?;
            let inner = after.iter().take_while(|b| continues(**b)).count();
            after.get(inner..)
        }
        Atom::Literal(_) | Atom::Variable(_) => rest.strip_prefix(atom.literal(values)?),
    })
}

/// What precedes these atoms at the end of the text.
pub(super) fn strip_end<'t>(atoms: &[Atom], text: &'t [u8], values: &impl Resolve) -> Option<&'t [u8]> {
    atoms.iter().rev().try_fold(text, |rest, atom| match atom {
        Atom::One => {
            let inner = rest.iter().rev().take_while(|b| continues(**b)).count();
            rest.get(..rest.len().checked_sub(inner + 1)?)
        }
        Atom::Literal(_) | Atom::Variable(_) => rest.strip_suffix(atom.literal(values)?),
    })
}

/// Positions at which a character begins, and the end.
pub(super) fn character_starts(text: &[u8]) -> impl Iterator<Item = usize> {
    let starts = text.iter().enumerate().filter(|(_, b)| !continues(**b)).map(|(at, _)| at);
    starts.chain(std::iter::once(text.len()))
}

/// Whether a byte continues a character of UTF-8 (RFC 3629 section 3).
const fn continues(byte: u8) -> bool {
    byte & 0xC0 == 0x80
}
