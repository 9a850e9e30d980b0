//! A diagnosis as JSON.

use serde_json::{Value, json};

use crate::diagnosis::{Diagnosis, InputFacts};
use crate::finding::Finding;
use crate::timeline::Mark;

/// The shape that programs hold on to: `inputs`, `findings`, `limits`.
#[must_use]
pub fn json(diagnosis: &Diagnosis) -> Value {
    let findings = diagnosis.findings.iter().map(|finding| of_finding(diagnosis, finding));
    json!({
        "inputs": diagnosis.inputs.iter().map(of_input).collect::<Vec<_>>(),
        "findings": findings.collect::<Vec<_>>(),
        "changes": diagnosis.changes.iter().map(|change| of_mark(diagnosis, &change.mark)).collect::<Vec<_>>(),
        "limits": diagnosis.limits.iter().map(super::text::limit).collect::<Vec<_>>(),
    })
}

fn of_input(input: &InputFacts) -> Value {
    json!({
        "file": input.name,
        "format": input.format.as_str(),
        "lines": input.lines,
        "unclassified": input.unclassified,
    })
}

fn of_finding(diagnosis: &Diagnosis, finding: &Finding) -> Value {
    let evidence = finding.steps.iter().map(|step| &step.mark).chain(&finding.again);
    json!({
        "rule": finding.rule,
        "variant": finding.variant,
        "candidates": finding.candidates,
        "confidence": finding.confidence,
        "hop": finding.hop,
        "side": finding.hop.side(),
        "title": finding.title,
        "summary": finding.summary,
        "explanation": finding.explanation,
        "steps": finding.steps.iter().map(|step| json!({
            "line": step.mark.place.line,
            "what": step.what,
        })).collect::<Vec<_>>(),
        "evidence": evidence.map(|mark| of_mark(diagnosis, mark)).collect::<Vec<_>>(),
        "impact": {
            "count": finding.count,
            "attempts": finding.attempts,
            "added_ms": finding.added.map(|added| added.as_millis()),
            "worst_ms": finding.worst.map(|worst| worst.as_millis()),
        },
        "remedies": finding.remedies,
        "ruled_out": finding.ruled_out,
        "prove": finding.prove,
    })
}

fn of_mark(diagnosis: &Diagnosis, mark: &Mark) -> Value {
    let file = diagnosis.inputs.get(mark.place.file).map(|input| input.name.as_str());
    json!({ "file": file, "line": mark.place.line, "text": &*mark.text })
}
