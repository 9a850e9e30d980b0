//! Asks the monitor, once a second.

use std::time::Duration;

use repono_client::{Client, ClientError};
use serde_json::Value;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use super::facts::Facts;

/// How often.
const EVERY: Duration = Duration::from_secs(1);
/// All answers together: a monitor that takes longer is one that does not answer.
const ANSWER_MAX: Duration = Duration::from_secs(5);
/// After a refusal: whoever asks every second with a wrong secret is soon not heard at all
/// by vending, which allows a user ten failures, then one in 6 s.
const REFUSED_PAUSE: Duration = Duration::from_secs(10);
/// Seconds of response times that are shown.
const SERIES_S: usize = 180;
/// Answered where the monitor follows no journals, or is of an earlier version.
const NOT_FOUND: u16 = 404;

/// What came of one round of questions.
#[derive(Clone, Debug)]
pub(super) enum Told {
    Facts(Box<Facts>),
    /// Why there is no answer.
    Nothing(String),
    /// Why this user gets none.
    Refused(String),
}

/// Asks until nobody listens.
pub(super) async fn again_and_again(client: &Client, told: watch::Sender<Option<Told>>) {
    let mut turns = interval(EVERY);
    turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while !told.is_closed() {
        turns.tick().await;
        let now = once(client).await;
        let refused = matches!(now, Told::Refused(_));
        told.send_replace(Some(now));
        if refused {
            sleep(REFUSED_PAUSE).await;
        }
    }
}

/// Asks for everything that is shown.
pub(super) async fn once(client: &Client) -> Told {
    match timeout(ANSWER_MAX, all(client)).await {
        Ok(Ok(facts)) => Told::Facts(Box::new(facts)),
        Ok(Err(error)) => {
            let refused = matches!(error, ClientError::Unauthorized(_) | ClientError::Forbidden(_));
            let why = format!("{:#}", anyhow::Error::from(error));
            if refused { Told::Refused(why) } else { Told::Nothing(why) }
        }
        Err(_) => Told::Nothing(format!("no answer within {} s", ANSWER_MAX.as_secs())),
    }
}

async fn all(client: &Client) -> Result<Facts, ClientError> {
    // The first asks alone: it may have to vend a ticket for all.
    let heads = match ask(client, "/api/v1/heads").await {
        // The balancer has not answered yet.
        Err(ClientError::Unavailable(_)) => Value::Null,
        asked => asked?,
    };
    let (head, clients, slowest, closes, changes, findings) = tokio::try_join!(
        ask(client, "/api/v1/series?step=second&side=head"),
        ask(client, "/api/v1/series?step=second&side=client"),
        ask(client, "/api/v1/slowest"),
        ask(client, "/api/v1/closes"),
        ask(client, "/api/v1/changes"),
        ask(client, "/api/v1/findings"),
    )?;
    Ok(Facts { heads, head: recent(head), client: recent(clients), slowest, closes, changes, findings })
}

/// The last whole seconds of a series, which ends with the second that is: by the clock of
/// the monitor, for this machine's may be wrong.
fn recent(mut series: Value) -> Value {
    for column in series.as_object_mut().into_iter().flat_map(|columns| columns.values_mut()) {
        if let Value::Array(column) = column {
            column.pop();
            column.drain(..column.len().saturating_sub(SERIES_S));
        }
    }
    series
}

/// What the monitor has not is null.
async fn ask(client: &Client, target: &str) -> Result<Value, ClientError> {
    match client.monitor(target).await {
        Ok(Some(body)) => {
            serde_json::from_slice(&body).map_err(|_| ClientError::Protocol("an answer that is no JSON"))
        }
        Ok(None) => Ok(Value::Null),
        Err(ClientError::NotFound(answer)) if answer.status == NOT_FOUND => Ok(Value::Null),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::recent;

    #[test]
    fn the_last_whole_seconds_are_those_of_the_monitors_clock() {
        let all: Vec<u64> = (1_000..1_600).collect();
        let told = recent(json!({"side": "head", "step_s": 1, "t": all, "p50": [1.5]}));
        let seconds: Vec<u64> = (1_419..1_599).collect();
        assert_eq!(told, json!({"side": "head", "step_s": 1, "t": seconds, "p50": []}));
        assert_eq!(recent(Value::Null), Value::Null);
        assert_eq!(recent(json!({"t": []})), json!({"t": []}));
    }
}
