//! Which stock clients are safe with an endpoint, and what to set where one is not.

use serde::{Deserialize, Serialize};

use crate::advertised::Advertised;
use repono_probe::conversation::Manner;
use repono_probe::ladder::Idle;

/// The clients, as they are shipped.
const TEXT: &str = include_str!("clients.toml");
/// A client's clock begins a round trip after the server's, and neither is exact.
const MARGIN_S: f64 = 1.0;

/// A client and its pool.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Client {
    name: String,
    pool_s: Option<f64>,
    heeds: Option<f64>,
    fin: bool,
    rst: bool,
    setting: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    client: Vec<Client>,
}

/// Whether a client can be left as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// It can.
    Safe,
    /// It can meet a connection that is gone.
    Unsafe,
}

/// What is said of one client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Advice {
    /// Which.
    pub client: String,
    /// Whether it can be left as it is.
    pub verdict: Verdict,
    /// Why.
    pub why: String,
    /// What to change; `None` where nothing.
    pub setting: Option<String>,
}

/// Says of each client whose name contains `wanted` whether it is safe.
///
/// *Errors*: the table is not well formed, which a test rules out.
pub(crate) fn advise(
    idle: &Idle,
    advertised: &Advertised,
    wanted: Option<&str>,
) -> Result<Vec<Advice>, toml::de::Error> {
    let table: Table = toml::from_str(TEXT)?;
    let wanted = wanted.unwrap_or_default().to_lowercase();
    let clients = table.client.iter().filter(|client| client.name.to_lowercase().contains(&wanted));
    Ok(clients.map(|client| client.advice(idle, advertised)).collect())
}

/// The names of all clients.
///
/// *Errors*: the table is not well formed, which a test rules out.
pub fn names() -> Result<Vec<String>, toml::de::Error> {
    let table: Table = toml::from_str(TEXT)?;
    Ok(table.client.into_iter().map(|client| client.name).collect())
}

impl Client {
    fn advice(&self, idle: &Idle, advertised: &Advertised) -> Advice {
        // What lies below it is known to be answered.
        let floor = idle.at_least_s.or(idle.limit_s).unwrap_or(idle.tested_to_s);
        let (verdict, why) = self.judge(idle, advertised, floor);
        let setting = (verdict == Verdict::Unsafe).then(|| self.set_to(floor));
        Advice { client: self.name.clone(), verdict, why, setting }
    }

    /// Whether it gives connections up before the endpoint does, or survives that.
    fn judge(&self, idle: &Idle, advertised: &Advertised, floor: f64) -> (Verdict, String) {
        if advertised.closes {
            return (Verdict::Safe, "every answer announces the end of its connection".to_owned());
        }
        let told = advertised.keep_alive_timeout_s.zip(self.heeds);
        #[expect(clippy::cast_precision_loss, reason = "seconds of a header")]
        let told = told.map(|(timeout, margin)| (timeout as f64 - margin).max(0.0));
        let own = told.or(self.pool_s);
        let keeps = match (told, own) {
            (Some(s), _) => format!("heeds Keep-Alive and keeps a quiet connection for {s} s"),
            (None, Some(s)) => format!("keeps a quiet connection for {s} s"),
            (None, None) => "keeps a quiet connection for ever".to_owned(),
        };
        // Heeding the header, it takes a margin of its own off.
        let margin = if told.is_some() { 0.0 } else { MARGIN_S };
        let gives_up_first = own.is_some_and(|s| s + margin <= floor);
        let Some(limit) = idle.limit_s else {
            return if gives_up_first {
                (Verdict::Safe, keeps)
            } else {
                let why = format!("{keeps}; what comes after {:.0} s was not tested", idle.tested_to_s);
                (Verdict::Unsafe, why)
            };
        };
        if gives_up_first {
            return (Verdict::Safe, format!("{keeps}; the limit is {limit:.1} s"));
        }
        match idle.manner {
            Manner::Fin | Manner::FinCloseNotify if self.fin => (
                Verdict::Safe,
                format!("{keeps}; sees the end, and sends a GET again that met it on the way"),
            ),
            Manner::Rst if self.rst => (
                Verdict::Safe,
                format!("{keeps}; sees the RST, and sends a GET again that met it on the way"),
            ),
            Manner::RstOnSend if self.rst => {
                (Verdict::Safe, format!("{keeps}; sends a GET again that was answered by RST"))
            }
            Manner::Fin | Manner::FinCloseNotify | Manner::Rst => (
                Verdict::Unsafe,
                format!("{keeps}; a request that meets the end after {limit:.1} s on its way fails"),
            ),
            Manner::RstOnSend => {
                (Verdict::Unsafe, format!("{keeps}; each request after {limit:.1} s of quiet fails"))
            }
            Manner::Silent | Manner::AckedSilent | Manner::None => (
                Verdict::Unsafe,
                format!("{keeps}; each request after {limit:.1} s of quiet stalls until its own time-out"),
            ),
        }
    }

    /// The setting that keeps below the floor.
    fn set_to(&self, floor: f64) -> String {
        let seconds = (floor - MARGIN_S).min(floor * 0.9).floor().max(1.0);
        let ms = seconds * 1000.0;
        self.setting.replace("{s}", &format!("{seconds:.0}")).replace("{ms}", &format!("{ms:.0}"))
    }
}

#[cfg(test)]
mod tests {
    use super::{Verdict, advise, names};
    use crate::advertised::Advertised;
    use repono_probe::conversation::Manner;
    use repono_probe::ladder::Idle;

    fn idle(limit_s: Option<f64>, manner: Manner) -> Idle {
        Idle {
            limit_s,
            at_least_s: None,
            tested_to_s: 360.0,
            manner,
            spread_s: None,
            keepalive_extends: None,
            rungs: Vec::new(),
        }
    }

    fn advertised(keep_alive_timeout_s: Option<u64>) -> Advertised {
        Advertised {
            keep_alive_timeout_s,
            keep_alive_max: None,
            http: Vec::new(),
            tls: Vec::new(),
            resumption: None,
            status: 200,
            closes: false,
            server: None,
            via: None,
        }
    }

    fn safe(idle: &Idle, timeout: Option<u64>) -> Vec<String> {
        let advice = advise(idle, &advertised(timeout), None).expect("a table");
        advice.into_iter().filter(|a| a.verdict == Verdict::Safe).map(|a| a.client).collect()
    }

    #[test]
    fn silence_is_survived_only_by_those_who_give_up_first() {
        let azure = idle(Some(240.0), Manner::Silent);
        let safe_there = safe(&azure, None);
        for name in ["Go net/http", ".NET Framework", "curl / libcurl"] {
            assert!(safe_there.contains(&name.to_owned()), "{name}");
        }
        for name in ["Python requests", "OkHttp", "Node http.Agent({ keepAlive: true })"] {
            assert!(!safe_there.contains(&name.to_owned()), "{name}");
        }
        let advice = advise(&azure, &advertised(None), Some("okhttp")).expect("a table");
        assert_eq!(advice[0].setting.as_deref(), Some("new ConnectionPool(5, 216, TimeUnit.SECONDS)"));
    }

    /// nginx's 75 s: an end that everybody sees, and a header that half of them heed.
    #[test]
    fn an_end_that_is_seen_is_survived_by_those_who_send_again() {
        let nginx = idle(Some(75.0), Manner::FinCloseNotify);
        let safe_there = safe(&nginx, None);
        assert!(safe_there.contains(&".NET Framework".to_owned()));
        assert!(!safe_there.contains(&"Mono HttpWebRequest".to_owned()));
        let by_rst = idle(Some(75.0), Manner::RstOnSend);
        let told = ".NET 6+ SocketsHttpHandler".to_owned();
        assert!(safe(&by_rst, None).contains(&told), "60 s is below 75 s");
        assert!(!safe(&idle(Some(20.0), Manner::RstOnSend), None).contains(&told));
        assert!(safe(&idle(Some(20.0), Manner::RstOnSend), Some(15)).contains(&told));
    }

    #[test]
    fn what_was_not_tested_is_not_called_safe() {
        let unknown = Idle { tested_to_s: 30.0, ..idle(None, Manner::None) };
        let safe_there = safe(&unknown, None);
        assert!(safe_there.contains(&"Python httpx".to_owned()));
        assert!(!safe_there.contains(&"Go net/http".to_owned()));
    }

    #[test]
    fn each_client_has_one_row() {
        let mut all = names().expect("a table");
        let rows = all.len();
        all.sort();
        all.dedup();
        assert_eq!((all.len(), rows), (18, 18));
    }
}
