//! Totals, as they outlive the process: words instead of what they mean.

use std::net::SocketAddr;

use repono_core::request::Method;
use repono_journal::{ClosedBy, Manner, Phase, Side};
use serde::{Deserialize, Serialize};

use super::labels::{OTHER, Server, known_error, service, status};
use super::{
    DURATIONS_MAX, DurationKey, Durations, PROCESSES_MAX, Retries, SERVERS_MAX, Stale, Tickets, Totals,
};
use crate::board::durations::{IDLE_BOUNDS_S, REQUEST_BOUNDS_S};

#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct KeptTotals {
    durations: Vec<KeptDurations>,
    closes: Vec<(String, String, String, u64)>,
    lb_closes: Vec<(String, String, String, u64)>,
    lb_idle: Durations,
    late: u64,
    requests: Vec<(String, String, u64)>,
    resent: u64,
    stale: Stale,
    retries: Retries,
    tickets: Tickets,
    dropped: Vec<(String, u64)>,
    dropped_by: Vec<(String, u32, u64)>,
}

#[derive(Debug, Deserialize, Serialize)]
struct KeptDurations {
    side: String,
    method: String,
    status: Option<u16>,
    error_type: Option<String>,
    server: Option<SocketAddr>,
    durations: Durations,
}

impl KeptDurations {
    fn of(key: &DurationKey, durations: &Durations) -> Self {
        Self {
            side: key.side.to_owned(),
            method: key.method.to_owned(),
            status: key.status,
            error_type: key.error_type.map(str::to_owned),
            server: match key.server {
                Server::At(address) => Some(address),
                Server::Own | Server::Other => None,
            },
            durations: durations.clone(),
        }
    }

    fn resumed(self, servers: &mut Vec<SocketAddr>) -> (DurationKey, Durations) {
        let side = side(&self.side);
        let server = match self.server {
            Some(address) if servers.contains(&address) => Server::At(address),
            Some(address) if servers.len() < SERVERS_MAX => {
                servers.push(address);
                Server::At(address)
            }
            Some(_) => Server::Other,
            None if side == Side::Client.as_str() => Server::Other,
            None => Server::Own,
        };
        let key = DurationKey {
            side,
            method: Method::parse(self.method.as_bytes()).map_or(OTHER, Method::as_str),
            status: status(self.status),
            error_type: self.error_type.as_deref().map(known_error),
            server,
        };
        (key, self.durations.resumed(REQUEST_BOUNDS_S))
    }
}

fn side(word: &str) -> &'static str {
    Side::of_word(word).map_or(OTHER, Side::as_str)
}

fn by(word: &str) -> &'static str {
    ClosedBy::of_word(word).map_or(OTHER, ClosedBy::as_str)
}

fn how(word: &str) -> &'static str {
    Manner::of_word(word).map_or(OTHER, Manner::as_str)
}

impl Totals {
    pub(in crate::board) fn kept(&self) -> KeptTotals {
        let word = |word: &&str| (*word).to_owned();
        let three = |([a, b, c], count): (&[&'static str; 3], &u64)| (word(a), word(b), word(c), *count);
        let durations = self.durations.iter().map(|(key, durations)| KeptDurations::of(key, durations));
        let requests = self.requests.iter();
        let requests = requests.map(|([side, reuse], count)| (word(side), word(reuse), *count));
        let lost = self.dropped_by.iter();
        let mut dropped_by: Vec<(String, u32, u64)> =
            lost.map(|((name, pid), count)| (name.to_string(), *pid, *count)).collect();
        dropped_by.sort_unstable();
        KeptTotals {
            durations: durations.collect(),
            closes: self.closes.iter().map(three).collect(),
            lb_closes: self.lb_closes.iter().map(three).collect(),
            lb_idle: self.lb_idle.clone(),
            late: self.late,
            requests: requests.collect(),
            resent: self.resent,
            stale: self.stale,
            retries: self.retries,
            tickets: self.tickets,
            dropped: self.dropped.iter().map(|(service, count)| (word(service), *count)).collect(),
            dropped_by,
        }
    }

    pub(in crate::board) fn resumed(kept: KeptTotals) -> Self {
        let phase = |word: &str| Phase::of_word(word).map_or(OTHER, Phase::as_str);
        let reuse = |word: &str| if word == "reused" { "reused" } else { "new" };
        let mut servers = Vec::new();
        let durations = kept.durations.into_iter().take(DURATIONS_MAX);
        let lost = kept.dropped_by.into_iter().take(PROCESSES_MAX);
        let durations = durations.map(|kept| kept.resumed(&mut servers)).collect();
        Self {
            durations,
            servers,
            closes: kept.closes.iter().map(|(a, b, c, count)| ([side(a), by(b), how(c)], *count)).collect(),
            lb_closes: kept
                .lb_closes
                .iter()
                .map(|(a, b, c, count)| ([by(a), how(b), phase(c)], *count))
                .collect(),
            lb_idle: kept.lb_idle.resumed(IDLE_BOUNDS_S),
            late: kept.late,
            requests: kept.requests.iter().map(|(a, b, count)| ([side(a), reuse(b)], *count)).collect(),
            resent: kept.resent,
            stale: kept.stale,
            retries: kept.retries,
            tickets: kept.tickets,
            dropped: kept.dropped.iter().map(|(name, count)| (service(name), *count)).collect(),
            dropped_by: lost.map(|(name, pid, count)| ((name.into(), pid), count)).collect(),
        }
    }
}
