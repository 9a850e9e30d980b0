//! ARNs in conditions: six fields, each held against its own pattern, so that a
//! `*` never reaches over a colon of the first five.

use crate::condition::key::Key;
use crate::error::Fault;
use crate::facts::Facts;
use crate::pattern::{Match, Pattern, VariableUse, Wildcards};

const FIELDS: usize = 6;

/// A compiled ARN.
#[derive(Clone, Debug)]
pub(crate) struct ArnPattern([Pattern; FIELDS]);

impl ArnPattern {
    pub(crate) fn compile(key: Key, text: &str, variables: VariableUse) -> Result<Self, Fault> {
        let expected = "an ARN of six fields such as arn:aws:iam::ACCOUNT:user/NAME (`*` and `?` allowed)";
        let fault = || Fault::Value { key: key.as_str(), value: text.to_owned(), expected };
        let fields = fields(text);
        if fields.first() != Some(&"arn") {
            return Err(fault());
        }
        let patterns: Vec<_> = fields
            .into_iter()
            .map(|f| Pattern::compile(f, Wildcards::Active, variables))
            .collect::<Result<_, _>>()?;
        patterns.try_into().map(Self).map_err(|_| fault())
    }

    pub(crate) fn floating_bytes(&self) -> usize {
        self.0.iter().map(Pattern::floating_bytes).sum()
    }

    pub(crate) fn matches(&self, arn: &[u8], facts: &Facts<'_>) -> Match {
        let mut found = arn.splitn(FIELDS, |b| *b == b':');
        let mut all = Match::Yes;
        for pattern in &self.0 {
            match found.next().map_or(Match::No, |field| pattern.matches(field, facts)) {
                Match::Yes => {}
                Match::No if all == Match::Yes => all = Match::No,
                Match::No => {}
                // An unresolved field stands above a mismatch: see `decide`.
                Match::Unresolved => all = Match::Unresolved,
            }
        }
        all
    }
}

/// Splits at the first five colons outside `${…}`.
fn fields(text: &str) -> Vec<&str> {
    let mut fields = Vec::new();
    let mut start = 0;
    let mut in_variable = false;
    for (at, byte) in text.bytes().enumerate() {
        let before = text.as_bytes().get(at.wrapping_sub(1));
        match byte {
            b'{' if before == Some(&b'$') => in_variable = true,
            b'}' => in_variable = false,
            b':' if !in_variable && fields.len() + 1 < FIELDS => {
                fields.push(text.get(start..at).unwrap_or_default());
                start = at + 1;
            }
            _ => {}
        }
    }
    fields.push(text.get(start..).unwrap_or_default());
    fields
}

#[cfg(test)]
mod tests {
    use super::fields;

    #[test]
    fn colons_in_variables_and_in_the_last_field_do_not_split() {
        assert_eq!(
            fields("arn:aws:iam::${repono:account}:user/${aws:username}"),
            ["arn", "aws", "iam", "", "${repono:account}", "user/${aws:username}"]
        );
        assert_eq!(fields("arn:aws:iam::a:user/b:c"), ["arn", "aws", "iam", "", "a", "user/b:c"]);
        assert_eq!(fields("arn"), ["arn"]);
    }
}
