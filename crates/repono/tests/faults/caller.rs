//! Our client, as the matrix's column sees it.

use std::fs;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use repono_client::upload::{UploadOptions, Uploaded};
use repono_client::{Client, ClientError, Limits, ObjectAddress, Options, Profile, Silent};
use repono_testkit::system::System;
use tokio::io::AsyncRead;
use tokio::time::timeout;

use crate::LIMIT;

/// A client of an endpoint, and an object that it asks for.
pub(crate) struct Caller {
    pub(crate) client: Arc<Client>,
    pub(crate) content: Vec<u8>,
}

impl Caller {
    /// A client that goes to `endpoint`.
    pub(crate) fn new(system: &System, endpoint: &str, limits: Limits) -> Self {
        let path = system.path(&format!("{}.toml", endpoint.replace([':', '/'], "-")));
        let text = fs::read_to_string(system.fact("profile")).expect("a profile");
        let mut table: toml::Table = text.parse().expect("TOML");
        table.insert("endpoint".into(), endpoint.into());
        write_private(&path, &table.to_string());
        let profile = Profile::load(Some(&path), &|_| None).expect("a profile");
        let options = Options { limits, ..Options::default() };
        Self { client: Arc::new(Client::new(&profile, options).expect("a client")), content: Vec::new() }
    }

    /// The same with an object of so many bytes in the store, put directly.
    pub(crate) fn with_object(mut self, system: &System, bytes: usize) -> Self {
        self.content = (0..bytes).map(|n| (n * 31 % 251) as u8).collect();
        let file = system.path("object");
        fs::write(&file, &self.content).expect("written");
        system.ok(&["put", &file.display().to_string(), "demo/files/object"]).expect("put");
        self
    }

    /// HEAD and GET of the object, compared; the error of the first that fails.
    pub(crate) async fn get(&self) -> Result<(), ClientError> {
        let progress: Arc<dyn repono_client::Progress> = Arc::new(Silent);
        let mut got = Vec::new();
        self.client.get_stream(&object("object"), &mut got, &progress).await?;
        assert!(got == self.content, "{} bytes that are not those of the object", got.len());
        Ok(())
    }

    /// The same into a file, resumed where it broke.
    pub(crate) async fn get_file(&self, system: &System) -> Result<(), ClientError> {
        let progress: Arc<dyn repono_client::Progress> = Arc::new(Silent);
        let file = system.path("got");
        self.client.get_file(&object("object"), &file, &progress).await?;
        assert!(fs::read(&file).expect("published") == self.content, "what was published is not the object");
        Ok(())
    }

    /// Puts bytes under a name.
    pub(crate) async fn put(&self, name: &str, bytes: Vec<u8>) -> Result<Uploaded, ClientError> {
        let length = u64::try_from(bytes.len()).ok();
        let stream: Pin<Box<dyn AsyncRead + Send>> = Box::pin(std::io::Cursor::new(bytes));
        self.client
            .put_stream(&object(name), stream, length, &UploadOptions::default(), Arc::new(Silent))
            .await
    }

    /// The present size of an object.
    pub(crate) async fn size(&self, name: &str) -> Result<u64, ClientError> {
        Ok(self.client.stat(&object(name)).await?.bytes)
    }

    /// Waits until no connection is idle in the pool.
    pub(crate) async fn evicted(&self) {
        self.idle(|count| count == 0).await;
    }

    /// Waits until this holds of the number of idle connections.
    pub(crate) async fn idle(&self, holds: impl Fn(usize) -> bool) {
        timeout(LIMIT, async {
            while !holds(self.client.idle_connections()) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        })
        .await
        .expect("the pool comes to it");
    }
}

/// An object of the demo account.
pub(crate) fn object(name: &str) -> ObjectAddress {
    format!("demo/files/{name}").parse().expect("an address")
}

fn write_private(path: &Path, text: &str) {
    use std::io::Write;
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
        .expect("opened");
    file.write_all(text.as_bytes()).expect("written");
}
