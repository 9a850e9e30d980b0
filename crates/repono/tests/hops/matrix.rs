//! What was said of each fault.

use std::fmt;

use crate::fault::Fault;
use crate::stage::Said;

/// What can be said.
const HOPS: [&str; 5] = ["path", "balancer", "head", "unknown", "nothing"];

/// Faults and what was said of them.
#[derive(Default)]
pub(crate) struct Matrix(Vec<(Fault, Said)>);

impl Matrix {
    pub(crate) fn take(&mut self, fault: Fault, said: Said) {
        self.0.push((fault, said));
    }

    /// The reports of those whose hop is not the one that was named.
    pub(crate) fn wrong(&self) -> Vec<&str> {
        let wrong = self.0.iter().filter(|(fault, said)| said.hop() != fault.hop());
        wrong.map(|(_, said)| said.report.as_str()).collect()
    }
}

impl Said {
    fn hop(&self) -> Option<&str> {
        self.first.as_ref().map(|(hop, _)| hop.as_str())
    }
}

impl fmt::Display for Matrix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| fault | hop | said | rule |\n|---|---|---|---|")?;
        for (fault, said) in &self.0 {
            let rule = said.first.as_ref().map_or("", |(_, rule)| rule);
            let hop = fault.hop().unwrap_or("nothing");
            writeln!(f, "| {} | {hop} | {} | {rule} |", fault.is(), said.hop().unwrap_or("nothing"))?;
        }
        writeln!(f, "\n| made on | {} |\n|---|{}", HOPS.join(" | "), "---|".repeat(HOPS.len()))?;
        for made in ["path", "balancer", "head", "nothing"] {
            let counts = HOPS.map(|told| {
                let hit = |(fault, said): &&(Fault, Said)| {
                    fault.hop().unwrap_or("nothing") == made && said.hop().unwrap_or("nothing") == told
                };
                self.0.iter().filter(hit).count().to_string()
            });
            writeln!(f, "| {made} | {} |", counts.join(" | "))?;
        }
        Ok(())
    }
}
