//! Servers of others that speak HTTP themselves.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use repono_testkit::system::System;

use crate::LIMIT;
use crate::balancer::{end, free, write};
use crate::verdict::Row;

const NGINX_TLS: Row =
    Row { what: "nginx https, `keepalive_timeout 5s`", limit_s: 5.0, manner: "fin+close_notify" };
const NGINX: Row = Row { what: "nginx http, `keepalive_timeout 5s`", limit_s: 5.0, manner: "fin" };
const HAPROXY: Row = Row { what: "HAProxy http, `timeout http-keep-alive 5s`", limit_s: 5.0, manner: "fin" };

pub(crate) const ROWS: [Row; 3] = [NGINX_TLS, NGINX, HAPROXY];

/// A running server; ended when dropped.
pub(crate) struct Server {
    child: Child,
    pub(crate) row: Row,
    pub(crate) url: String,
}

impl Server {
    pub(crate) fn all(system: &System) -> [Self; 3] {
        let (tls, plain, haproxy) = (free(), free(), free());
        let head: toml::Table = std::fs::read_to_string(system.data().join("run/head-1.toml"))
            .expect("a configuration")
            .parse()
            .expect("TOML");
        let secret = |key: &str| head["tls"][key].as_str().expect("a path").to_owned();
        let listen = format!(
            "listen {tls} ssl; ssl_certificate {}; ssl_certificate_key {};",
            secret("ecdsa_chain"),
            secret("ecdsa_key")
        );
        [
            Self { child: nginx(system, "tls", &listen), row: NGINX_TLS, url: format!("https://{tls}/") },
            Self {
                child: nginx(system, "plain", &format!("listen {plain};")),
                row: NGINX,
                url: format!("http://{plain}/"),
            },
            Self { child: self::haproxy(system, haproxy), row: HAPROXY, url: format!("http://{haproxy}/") },
        ]
    }
}

/// Waits until an endpoint answers.
pub(crate) fn wait(row: &Row, url: &str, ca: &[&str; 2]) {
    let answers = || {
        let curl = Command::new("curl").args(["-sI", "--cacert", ca[1], url]).output().expect("curl");
        curl.status.success().then_some(())
    };
    repono_testkit::wait::until(row.what, LIMIT * 3, answers).expect("in time");
}

impl Drop for Server {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

fn nginx(system: &System, name: &str, listen: &str) -> Child {
    let text = format!(
        "user root;\nevents {{}}\nhttp {{\n  access_log off;\n  keepalive_timeout 5s;\n  server {{\n    {listen}\n    \
         location / {{ return 200 ok; }}\n  }}\n}}\n"
    );
    let config = write(system, &format!("doctor-nginx-{name}"), &text);
    let run = format!("daemon off; pid {}.pid;", config.display());
    started(Command::new("/usr/sbin/nginx").args(["-e", "stderr", "-g", &run, "-c"]).arg(config))
}

fn haproxy(system: &System, listen: SocketAddr) -> Child {
    let text = format!(
        "defaults\n  mode http\n  timeout client 30s\n  timeout server 30s\n  timeout connect 5s\n  \
         timeout http-keep-alive 5s\nfrontend all\n  bind {listen}\n  http-request return status 200\n"
    );
    let config = write(system, "doctor-haproxy", &text);
    started(Command::new(Path::new("/usr/sbin/haproxy")).args(["-q", "-db", "-f"]).arg(config))
}

fn started(command: &mut Command) -> Child {
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it runs; see `cargo xtask needs`")
}
