//! What stands behind the balancers: heads of ours, and a plain nginx with the same
//! object and the same certificate, to be held against.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use repono_testkit::system::System;
use toml::{Table, Value};

use crate::balancer::{end, free, write};

/// A server of the object, ended when dropped.
pub(crate) struct Origin {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Origin {
    /// A further head on the system's store, with these keys of its configuration.
    pub(crate) fn head(system: &System, name: &str, keys: &[(&str, i64)]) -> Self {
        let mut config = head_configuration(system);
        let (address, balanced) = (free(), free());
        config.insert("name".into(), name.into());
        config.insert("direct".into(), address.to_string().into());
        config.insert("balanced".into(), balanced.to_string().into());
        for (key, value) in keys {
            config.insert((*key).into(), Value::Integer(*value));
        }
        let path = write(system, name, &config.to_string());
        let mut command = system.command();
        let mut child =
            command.args(["head", "--config"]).arg(path).stdout(Stdio::piped()).spawn().expect("it starts");
        let mut ready = String::new();
        BufReader::new(child.stdout.take().expect("piped")).read_line(&mut ready).expect("text");
        assert!(ready.contains("ready"), "the head {name} did not start");
        Self { child, address }
    }

    /// nginx, with nothing said that it need not be told; it serves `object`.
    pub(crate) fn nginx(system: &System) -> Self {
        let address = free();
        let head = head_configuration(system);
        let secret = |key: &str| head["tls"][key].as_str().expect("a path").to_owned();
        let root = system.path("origin");
        fs::create_dir(&root).expect("created");
        fs::copy(system.path("object"), root.join("object")).expect("copied");
        let text = format!(
            "user root;\nevents {{}}\nhttp {{\n  access_log off;\n  server {{\n    listen {address} ssl http2;\n    \
             ssl_certificate {};\n    ssl_certificate_key {};\n    root {};\n    \
             add_header X-Repono-Connection $connection;\n    \
             location = /healthcheck {{ return 200; }}\n  }}\n}}\n",
            secret("ecdsa_chain"),
            secret("ecdsa_key"),
            root.display(),
        );
        let config = write(system, "origin", &text);
        let run = format!("daemon off; pid {}.pid;", config.display());
        let child = Command::new("/usr/sbin/nginx")
            .args(["-e", "stderr", "-g", &run, "-c"])
            .arg(config)
            .stderr(Stdio::null())
            .spawn()
            .expect("nginx runs; see `cargo xtask needs`");
        Self { child, address }
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

fn head_configuration(system: &System) -> Table {
    let text = fs::read_to_string(system.data().join("run/head-1.toml")).expect("a configuration");
    text.parse().expect("TOML")
}
