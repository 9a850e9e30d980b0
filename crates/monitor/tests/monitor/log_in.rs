//! The door: who is let in, by what, and what is asked of whoever changes something.

use axum::http::StatusCode;
use repono_monitor::Config;

use crate::site::{Monitor, Reply, Site};

const OWN: (&str, &str) = ("origin", "https://localhost");

async fn send(monitor: &Monitor, method: &str, path: &str, fields: &[(&str, &str)]) -> Reply {
    monitor.send(&mut monitor.connect().await, method, path, fields, "").await
}

#[tokio::test]
async fn nothing_is_shown_to_whoever_is_not_logged_in() {
    let site = Site::new();
    let monitor = site.start_alone(site.config()).await;
    for path in [
        "/api/v1/heads",
        "/api/v1/series",
        "/api/v1/slowest",
        "/api/v1/closes",
        "/api/v1/changes",
        "/api/v1/session",
    ] {
        for cookie in ["", "__Host-repono=", "__Host-repono=00", "session=1"] {
            let reply = send(&monitor, "GET", path, &[("cookie", cookie)]).await;
            assert_eq!(
                (reply.status, &reply.json()["error"]["code"]),
                (StatusCode::UNAUTHORIZED, &"Unauthorized".into()),
                "{path}"
            );
        }
    }
    for path in ["/api/v1/heads/head-1/drain", "/api/v1/heads/only/off"] {
        assert_eq!(send(&monitor, "POST", path, &[OWN]).await.status, StatusCode::UNAUTHORIZED, "{path}");
    }
    let page = monitor.get("/").await;
    assert_eq!((page.status, page.header("location")), (StatusCode::SEE_OTHER, "/login"));
    for path in ["/metrics", "/healthcheck", "/login", "/page/page.css", "/page/login.css", "/page/main.js"] {
        assert_eq!(monitor.get(path).await.status, StatusCode::OK, "{path}");
    }
    // Without vending a ticket says nothing, and the page says that.
    let reply = send(&monitor, "GET", "/api/v1/heads", &[("x-auth-token", "RK1.x")]).await;
    assert_eq!(reply.json()["error"]["code"], "NoVending");
    let form = monitor.get("/login").await;
    assert!(form.text().contains("knows no vending service") && !form.text().contains("<form"));
    monitor.end().await;
}

#[tokio::test]
async fn the_form_needs_no_script_and_sends_to_us_alone() {
    let site = Site::new();
    std::fs::write(site.path("ca.pem"), site.ca_pem()).expect("written");
    // Nobody listens there.
    let vending = Some("https://127.0.0.1:9".parse().expect("a URL"));
    let config = Config { vending, ca: Some(site.path("ca.pem")), ..site.config() };
    let monitor = site.start_alone(config).await;
    let form = monitor.get("/login").await;
    assert_eq!(form.header("content-type"), "text/html; charset=utf-8");
    assert_eq!(
        form.header("content-security-policy"),
        "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    );
    // With no-referrer, browsers send the form with `Origin: null`.
    assert_eq!(form.header("referrer-policy"), "strict-origin");
    assert_eq!(
        (form.header("x-content-type-options"), form.header("cache-control")),
        ("nosniff", "no-store")
    );
    assert!(!form.text().contains("<script") && !form.text().contains("style=\""), "{}", form.text());
    assert!(form.text().contains("<label for=\"ticket\">") && form.text().contains("name=\"ticket\""));

    let post = async |fields: &[(&str, &str)], body: &str| {
        let fields = [fields, &[("content-type", "application/x-www-form-urlencoded")]].concat();
        monitor.send(&mut monitor.connect().await, "POST", "/login", &fields, body).await
    };
    for foreign in [
        &[][..],
        &[("origin", "null")],
        &[("origin", "https://evil")],
        &[OWN, ("sec-fetch-site", "cross-site")],
    ] {
        let reply = post(foreign, "ticket=RK1.x").await;
        assert_eq!(
            (reply.status, &reply.json()["error"]["code"]),
            (StatusCode::FORBIDDEN, &"ForeignOrigin".into())
        );
    }
    for broken in ["", "tickets=x", &format!("ticket={}", "x".repeat(17_000))] {
        assert_eq!(post(&[OWN], broken).await.status, StatusCode::BAD_REQUEST);
    }
    let unreachable = post(&[OWN], "ticket=RK1.x").await;
    assert_eq!(unreachable.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(unreachable.text().contains("role=\"alert\"") && !unreachable.text().contains("RK1.x"));
    monitor.end().await;
}

#[tokio::test]
async fn the_one_time_link_opens_the_page_once() {
    let site = Site::new();
    let monitor = site.start_alone(site.config()).await;
    assert!(!site.path("link.json").exists(), "it was taken");
    // Whoever looks ahead does not use it up, nor does another site.
    assert_eq!(send(&monitor, "HEAD", &monitor.link, &[]).await.status, StatusCode::OK);
    let foreign = send(&monitor, "GET", &monitor.link, &[("sec-fetch-site", "cross-site")]).await;
    assert_eq!(foreign.header("set-cookie"), "");
    assert_eq!(monitor.get("/login?once=0123").await.status, StatusCode::UNAUTHORIZED);

    let reply = monitor.get(&monitor.link).await;
    assert_eq!((reply.status, reply.header("location")), (StatusCode::SEE_OTHER, "/"));
    let (cookie, attributes) = reply.header("set-cookie").split_once("; ").expect("attributes");
    assert_eq!(attributes, "Max-Age=3600; Path=/; Secure; HttpOnly; SameSite=Strict");
    let value = cookie.strip_prefix("__Host-repono=").expect("its name");
    assert!(value.len() == 64 && !monitor.link.contains(value));
    let session = send(&monitor, "GET", "/api/v1/session", &[("cookie", cookie)]).await.json();
    assert_eq!((&session["user"], &session["role"]), (&"demo:demo".into(), &"operator".into()));
    assert_eq!(send(&monitor, "GET", "/", &[("cookie", cookie)]).await.status, StatusCode::OK);

    let again = monitor.get(&monitor.link).await;
    assert_eq!((again.status, again.header("set-cookie")), (StatusCode::UNAUTHORIZED, ""));
    assert!(again.text().contains("used already"));
    // Ten wrong links in all, and the door stays shut for a while.
    let mut last = again.status;
    for _ in 0..9 {
        last = monitor.get("/login?once=0123").await.status;
    }
    assert_eq!(last, StatusCode::TOO_MANY_REQUESTS);
    // Another life of the monitor finds no link.
    monitor.end().await;
}

#[tokio::test]
async fn what_changes_something_comes_from_our_page_and_names_the_person() {
    let site = Site::new();
    let _balancer = site.balancer();
    let monitor = site.start().await;
    let cookie = ("cookie", monitor.cookie());
    let session = monitor.get("/api/v1/session").await.json();
    let csrf = ("x-csrf-token", session["csrf"].as_str().expect("text"));
    let drain = "/api/v1/heads/head-1/drain";
    for (fields, code, status) in [
        (vec![OWN, csrf], "Unauthorized", 401),
        (vec![cookie, csrf], "ForeignOrigin", 403),
        (vec![cookie, csrf, ("origin", "https://evil")], "ForeignOrigin", 403),
        (vec![cookie, csrf, OWN, ("sec-fetch-site", "same-site")], "ForeignOrigin", 403),
        (vec![cookie, OWN], "CsrfToken", 403),
        (vec![cookie, OWN, ("x-csrf-token", "00")], "CsrfToken", 403),
    ] {
        let reply = send(&monitor, "POST", drain, &fields).await;
        assert_eq!(
            (reply.status.as_u16(), &reply.json()["error"]["code"]),
            (status, &code.into()),
            "{fields:?}"
        );
    }
    let all = [cookie, OWN, csrf];
    for path in [
        drain,
        "/api/v1/heads/head-1/ready",
        "/api/v1/heads/head-1/weight/3",
        "/api/v1/heads/head-1/only",
        "/api/v1/heads/only/off",
    ] {
        let reply = send(&monitor, "POST", path, &all).await;
        assert_eq!((reply.status, reply.text()), (StatusCode::OK, "{}"), "{path}");
    }
    for (path, code, status) in [
        ("/api/v1/heads/head-9/drain", "UnknownHead", 404),
        ("/api/v1/heads/head%2F1/drain", "NotFound", 404),
        ("/api/v1/heads/head-1/weight/-1", "Weight", 400),
    ] {
        let reply = send(&monitor, "POST", path, &all).await;
        assert_eq!((reply.status.as_u16(), &reply.json()["error"]["code"]), (status, &code.into()), "{path}");
    }
    assert_eq!(send(&monitor, "DELETE", drain, &all).await.status, StatusCode::METHOD_NOT_ALLOWED);

    assert_eq!(send(&monitor, "POST", "/logout", &[cookie]).await.status, StatusCode::FORBIDDEN);
    let out = send(&monitor, "POST", "/logout", &[cookie, OWN]).await;
    assert_eq!((out.status, out.header("location")), (StatusCode::SEE_OTHER, "/login"));
    assert!(out.header("set-cookie").starts_with("__Host-repono=; Max-Age=0;"));
    assert_eq!(monitor.get("/api/v1/heads").await.status, StatusCode::UNAUTHORIZED);
    monitor.end().await;
}

#[tokio::test]
async fn an_order_that_the_balancer_does_not_take_is_told() {
    let site = Site::new();
    let monitor = site.start().await;
    let session = monitor.get("/api/v1/session").await.json();
    let fields =
        [("cookie", monitor.cookie()), OWN, ("x-csrf-token", session["csrf"].as_str().expect("text"))];
    let reply = send(&monitor, "POST", "/api/v1/heads/head-1/drain", &fields).await;
    assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(reply.json()["error"]["message"], "The balancer did not take the order.");
    monitor.end().await;
}
