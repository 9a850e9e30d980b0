//! Names that exist, for the hint about one that does not.

use axum::http::StatusCode;
use repono_store::error::Subject;
use repono_store::model::identity::IdentitySnapshot;

use crate::reply::Fault;

/// Names less alike than this are not what anybody meant (Jaro-Winkler, 0 to 1).
const ALIKE_MIN: f64 = 0.75;
/// Names that are compared, so that a large store does not make an error slow.
const COMPARED_MAX: usize = 10_000;

/// The names of one kind, in the form in which requests name them.
pub(crate) fn names(identity: &IdentitySnapshot, subject: Subject) -> Vec<String> {
    match subject {
        Subject::Account => identity.accounts.iter().map(|row| row.name.to_string()).collect(),
        Subject::User | Subject::Member => {
            identity.users.iter().map(|row| format!("{}:{}", row.account, row.name)).collect()
        }
        Subject::Application => identity.applications.iter().map(|row| row.name.to_string()).collect(),
        Subject::Group => identity.groups.iter().map(|row| format!("{}:{}", row.account, row.name)).collect(),
        Subject::Policy => {
            identity.policies.iter().map(|row| format!("{}/{}", row.owner, row.name)).collect()
        }
        Subject::Key => identity.keys.iter().map(|row| row.id.clone()).collect(),
        Subject::Attachment => Vec::new(),
    }
}

/// The answer about a name that does not exist.
pub(crate) fn not_found(subject: Subject, name: Option<&str>, known: &[String]) -> Fault {
    let message = match name {
        Some(name) => format!("{subject} `{name}` does not exist."),
        None => format!("{subject} does not exist."),
    };
    let hint = match name.and_then(|name| nearest(name, known)) {
        Some(nearest) => format!("The nearest is `{nearest}`."),
        None => "List what there is with GET.".to_owned(),
    };
    Fault::about(StatusCode::NOT_FOUND, "NotFound", message, hint)
}

fn nearest<'a>(name: &str, known: &'a [String]) -> Option<&'a str> {
    known
        .iter()
        .take(COMPARED_MAX)
        .map(|known| (strsim::jaro_winkler(name, known), known.as_str()))
        .filter(|(alike, _)| *alike >= ALIKE_MIN)
        .max_by(|(one, _), (other, _)| one.total_cmp(other))
        .map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn a_slip_is_recognised_and_a_stranger_is_not() {
        let known = ["acme:alice", "acme:bob", "demo:demo"].map(str::to_owned);
        assert_eq!(nearest("acme:alcie", &known), Some("acme:alice"));
        assert_eq!(nearest("demo:dem", &known), Some("demo:demo"));
        assert_eq!(nearest("zzz", &known), None);
    }
}
