//! The monitor as its callers see it: over TLS on loopback, with a balancer's socket
//! that the test answers.

#![expect(clippy::expect_used, reason = "a test that cannot go on must end")]

mod findings;
mod journals;
mod live;
mod log_in;
mod site;

use std::time::Duration;

use axum::http::StatusCode;
use repono_monitor::{Config, ConfigError, MonitorError, run};
use serde_json::json;
use tokio::net::TcpStream;

use site::Site;

fn samples(text: &str) -> Vec<&str> {
    text.lines().filter(|line| !line.starts_with('#')).collect()
}

#[tokio::test]
async fn the_page_is_strict() {
    let site = Site::new();
    let monitor = site.start().await;
    let mut connection = monitor.connect().await;
    for (path, status, media) in [
        ("/", 200, "text/html; charset=utf-8"),
        ("/page/main.js", 200, "text/javascript; charset=utf-8"),
        ("/page/page.css", 200, "text/css; charset=utf-8"),
        ("/page/icon.svg", 200, "image/svg+xml"),
        ("/metrics", 200, "text/plain; version=0.0.4; charset=utf-8"),
        ("/healthcheck", 200, "text/plain; charset=utf-8"),
        ("/api/v1/heads", 503, "application/json"),
        ("/page/main.js/..", 404, "application/json"),
    ] {
        let reply = monitor.over(&mut connection, "GET", path).await;
        assert_eq!((reply.status.as_u16(), reply.header("content-type")), (status, media), "{path}");
        assert_eq!(
            reply.header("content-security-policy"),
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
             base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
             require-trusted-types-for 'script'; trusted-types 'none'"
        );
        assert_eq!(reply.header("x-content-type-options"), "nosniff");
        assert_eq!(reply.header("referrer-policy"), "no-referrer");
        let file = path.starts_with("/page/") && status == 200;
        assert_eq!(reply.header("cache-control"), if file { "no-cache" } else { "no-store" });
        assert_eq!(reply.header("cross-origin-resource-policy"), "same-origin");
    }
    let refused = monitor.over(&mut connection, "POST", "/metrics").await;
    assert_eq!(refused.status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(refused.header("x-content-type-options"), "nosniff");
    assert_eq!(refused.json()["error"]["code"], "MethodNotAllowed");
    assert_eq!(monitor.over(&mut connection, "GET", "/x").await.json()["error"]["code"], "NotFound");

    // What the page names is there.
    let page = monitor.over(&mut connection, "GET", "/").await.text().to_owned();
    for named in page.split('"').filter(|word| word.starts_with("/page/")) {
        let reply = monitor.over(&mut connection, "GET", named).await;
        assert_eq!(reply.status, StatusCode::OK, "{named}");
        assert!(reply.header("etag").starts_with('"'), "{named}");
    }
    monitor.end().await;
}

#[tokio::test]
async fn what_the_balancer_says_is_shown() {
    let site = Site::new();
    let monitor = site.start().await;
    let never = monitor.get("/api/v1/heads").await;
    assert_eq!(never.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(never.json()["error"]["code"], "ServiceUnavailable");
    assert_eq!(samples(monitor.get("/metrics").await.text()), ["repono_lb_up 0"]);

    let _balancer = site.balancer();
    let heads = monitor.until("/api/v1/heads", |reply| reply.status == StatusCode::OK).await.json();
    assert!(heads["age_ms"].as_u64().is_some_and(|age| age < 5_000), "{heads}");
    assert_eq!(heads["freshness"], "fresh");
    assert_eq!(heads["monitor"], "monitor-7");
    assert_eq!(
        heads["heads"],
        json!([
            {"name": "head-1", "address": "127.0.0.1:1", "state": "ready", "weight": 1,
             "connections": 3, "only": false, "failing": null, "counters": {"requests-shed-by-age": 9},
             "limits": {"idle_close_s": 650, "idle_advertised_s": 55}},
            {"name": "head-2", "address": "[::1]:2", "state": "down", "weight": 1,
             "connections": 0, "only": false, "failing": "tls", "counters": {}},
        ])
    );
    let metrics = monitor.get("/metrics").await;
    let samples = samples(metrics.text());
    assert_eq!(
        samples.get(..8),
        Some(
            &[
                r#"repono_head_up{head="head-1"} 1"#,
                r#"repono_head_up{head="head-2"} 0"#,
                r#"repono_head_state{head="head-1",state="ready"} 1"#,
                r#"repono_head_state{head="head-2",state="down"} 1"#,
                r#"repono_lb_connections{head="head-1",state="open"} 3"#,
                r#"repono_lb_connections{head="head-2",state="open"} 0"#,
                r#"repono_head_events_total{head="head-1",event="requests-shed-by-age"} 9"#,
                "repono_lb_up 1",
            ][..]
        )
    );
    monitor.end().await;
}

#[tokio::test]
async fn a_balancer_that_is_gone_takes_its_heads_down_after_5_s() {
    let site = Site::new();
    let monitor = site.start().await;
    let balancer = site.balancer();
    monitor.until("/api/v1/heads", |reply| reply.status == StatusCode::OK).await;
    balancer.stop().await;

    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(6)).await;
    // Sockets are real: with the clock still stopped, every wait for one would be
    // taken for idleness and the clock set forward.
    tokio::time::resume();
    let stale = monitor.get("/api/v1/heads").await;
    assert_eq!(stale.status, StatusCode::OK);
    let stale = stale.json();
    assert!(stale["age_ms"].as_u64().is_some_and(|age| age >= 6_000), "{stale}");
    assert_eq!((&stale["freshness"], &stale["heads"][0]["name"]), (&json!("stale"), &json!("head-1")));
    let metrics = monitor.get("/metrics").await;
    let down = [r#"repono_head_up{head="head-1"} 0"#, r#"repono_head_up{head="head-2"} 0"#, "repono_lb_up 0"];
    assert_eq!(samples(metrics.text()).get(..3), Some(&down[..]));
    let age = metrics.text().lines().find_map(|line| line.strip_prefix("repono_lb_scrape_age_seconds "));
    assert!(age.is_some_and(|age| age.parse::<f64>().is_ok_and(|age| age >= 6.0)), "{age:?}");

    let _balancer = site.balancer();
    monitor.until("/metrics", |reply| reply.text().contains("repono_head_up{head=\"head-1\"} 1")).await;
    monitor.end().await;
}

#[tokio::test]
async fn the_end_is_orderly_and_does_not_wait_for_idle_connections() {
    let site = Site::new();
    let monitor = site.start().await;
    let mut idle = monitor.connect().await;
    assert_eq!(monitor.over(&mut idle, "GET", "/healthcheck").await.text(), "OK\n");
    let _unused = monitor.connect().await;
    let address = monitor.https;
    monitor.end().await;
    assert!(idle.ready().await.is_err());
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn what_cannot_start_says_why() {
    let site = Site::new();
    let attempt = async |config| run(config, |_| {}, std::future::ready(())).await;
    let mut config = site.config();
    config.tls.rsa_key = site.path("missing");
    assert!(matches!(attempt(config).await, Err(MonitorError::Tls(_))));
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("bound");
    let listen = taken.local_addr().expect("bound");
    let error = attempt(Config { listen, ..site.config() }).await.expect_err("taken");
    assert_eq!(error.to_string(), format!("cannot listen on {listen}"));
    assert!(matches!(error, MonitorError::Listen { .. }));
    let vending = Some("https://localhost:1".parse().expect("a URL"));
    let config = Config { vending: vending.clone(), ca: Some(site.path("missing")), ..site.config() };
    assert!(matches!(attempt(config).await, Err(MonitorError::File { .. })));
    let config = Config { vending, ca: None, ..site.config() };
    assert!(matches!(attempt(config).await, Err(MonitorError::Config(_))));
}

#[test]
fn the_configuration_is_closed() {
    let text = "listen = '127.0.0.1:0'\nbalancer_admin_socket = 'b'\n";
    let tls = "[tls]\necdsa_chain = 'a'\necdsa_key = 'a'\nrsa_chain = 'a'\nrsa_key = 'a'\n";
    let config: Config = toml::from_str(&format!("{text}{tls}")).expect("valid");
    assert_eq!(config.name, "monitor");
    assert!(toml::from_str::<Config>(&format!("{text}hosts = 1\n{tls}")).is_err());
    assert!(toml::from_str::<Config>(&format!("{text}{tls}ca = 'a'\n")).is_err());
    let with = |more: &str| toml::from_str::<Config>(&format!("{text}{more}{tls}"));
    let both = with("vending = 'https://vending:7444'\nca = 'ca.pem'\n").expect("valid");
    assert_eq!(both.validate(), Ok(()));
    for half in ["vending = 'https://vending:7444'\n", "ca = 'ca.pem'\n"] {
        assert_eq!(with(half).expect("each is valid").validate(), Err(ConfigError::VendingWithoutCa));
    }
    for wrong in ["http://vending:7444", "vending", "https://vending/v1/tickets"] {
        let error = with(&format!("vending = '{wrong}'\nca = 'ca.pem'\n")).expect_err("refused").to_string();
        assert!(error.contains("https://HOST:PORT"), "{error}");
    }
}
