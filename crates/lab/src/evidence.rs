//! What the journals of a run say.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};

use repono_diagnose::diagnosis::{DiagnoseError, Diagnoser, Diagnosis};
use serde_json::Value;

/// A journal that could not be read.
#[derive(Debug, thiserror::Error)]
pub enum EvidenceError {
    /// Its file could not.
    #[error("cannot read the journal {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// No diagnosis came of it.
    #[error(transparent)]
    Diagnose(#[from] DiagnoseError),
}

/// What happened, from the journals of instances.
pub(crate) fn diagnosed(journals: &[PathBuf]) -> Result<Diagnosis, EvidenceError> {
    let mut diagnoser = Diagnoser::new()?;
    for path in journals {
        let file = File::open(path).map_err(|source| EvidenceError::File { path: path.clone(), source })?;
        diagnoser.read(&path.display().to_string(), BufReader::new(file))?;
    }
    Ok(diagnoser.finish())
}

/// The file into which an instance writes its journal.
pub(crate) fn journal_of(journals: &Path, instance: &str) -> PathBuf {
    journals.join(format!("{instance}.jsonl"))
}

/// How the connections of one side ended, in the journal's words.
#[derive(Debug, Default)]
pub(crate) struct Ends(Vec<String>);

impl Ends {
    /// Reads what an instance has written into the journals' directory.
    ///
    /// *Errors*: [`EvidenceError`]; lines that are none of ours are passed over.
    pub(crate) fn read(journals: &Path, instance: &str) -> Result<Self, EvidenceError> {
        let path = journal_of(journals, instance);
        let text = fs::read_to_string(&path).map_err(|source| EvidenceError::File { path, source })?;
        let lines = text.lines().filter_map(|line| serde_json::from_str(line).ok());
        Ok(Self(lines.filter_map(|record: Value| manner(&record)).collect()))
    }

    /// How many connections there were: each of them is a TLS handshake.
    #[must_use]
    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    /// How many ended in which manner.
    #[must_use]
    pub(crate) fn manners(&self) -> BTreeMap<&str, usize> {
        let mut manners = BTreeMap::new();
        for manner in &self.0 {
            *manners.entry(&**manner).or_default() += 1;
        }
        manners
    }
}

fn manner(record: &Value) -> Option<String> {
    if record.pointer("/event/dataset")?.as_str()? != "repono.connection" {
        return None;
    }
    Some(record.pointer("/repono/connection/manner")?.as_str()?.to_owned())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::Ends;

    #[test]
    fn ends_are_counted_by_manner_and_other_lines_passed_over() {
        let dir = tempfile::tempdir().unwrap();
        let end = |manner| {
            format!(
                r#"{{"event":{{"dataset":"repono.connection"}},"repono":{{"connection":{{"manner":"{manner}"}}}}}}"#
            )
        };
        let other = r#"{"event":{"dataset":"repono.request"},"repono":{}}"#.to_owned();
        let lines = [end("fin"), other, "torn".into(), end("rst"), end("fin")];
        std::fs::write(dir.path().join("balancer.jsonl"), lines.join("\n")).unwrap();
        let ends = Ends::read(dir.path(), "balancer").unwrap();
        assert_eq!((ends.count(), ends.manners()), (3, BTreeMap::from([("fin", 2), ("rst", 1)])));
        assert!(Ends::read(dir.path(), "nobody").is_err());
    }
}
