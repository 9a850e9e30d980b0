//! `repono admin`: users, applications, groups, policies, keys, revocation and
//! heads, over the administrators' unix socket.

mod call;
mod head;
mod show;
mod size;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::{Args, Subcommand, ValueEnum};
use repono_client::Profile;
use serde_json::{Value, json};

use crate::output::{Form, print, say, usage};
use call::{Call, call};
use head::Head;
use size::Quota;

/// Options of `repono admin`.
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  repono admin head list\n  repono admin head drain head-2\n  repono admin head trace head-2 --for 10m\n  repono admin application create reports\n  repono admin user create demo:alice --application reports\n  repono admin policy put demo readers --user demo:alice --document policy.json\n  repono admin account quota demo 500GiB\n  repono admin revoke user demo:alice\n  repono admin signing-key rotate ticket"
)]
pub(crate) struct Options {
    /// The administrators' socket; without it, the one that the profile names
    #[arg(long, value_name = "PATH", global = true)]
    socket: Option<PathBuf>,
    /// Profile to take the socket from
    #[arg(long, value_name = "FILE", global = true)]
    profile: Option<PathBuf>,
    #[command(subcommand)]
    subject: Subject,
}

#[derive(Subcommand, Debug)]
enum Subject {
    /// Accounts: the tenants
    #[command(subcommand)]
    Account(Account),
    /// Users, each bound to one application
    #[command(subcommand)]
    User(User),
    /// Applications that ask for tickets
    #[command(subcommand)]
    Application(Application),
    /// Groups of users of one account
    #[command(subcommand)]
    Group(Group),
    /// Policies: AWS policy documents
    #[command(subcommand)]
    Policy(Policy),
    /// Keys that sign tickets, pre-authorized URIs and TLS session tickets
    #[command(subcommand)]
    SigningKey(SigningKey),
    /// End a ticket, everything issued so far to a user or an application, or a key
    #[command(subcommand)]
    Revoke(Revoke),
    /// Heads, as the balancer sees them
    #[command(subcommand)]
    Head(Head),
    /// Who changed what, newest first
    Audit,
}

#[derive(Subcommand, Debug)]
enum Account {
    /// List all accounts
    List,
    /// Create an account
    Create { account: String },
    /// Bound what the containers of an account hold; what is there already stays
    Quota {
        account: String,
        /// The most bytes, such as 500GiB, or `none`
        #[arg(value_parser = size::quota)]
        quota: Quota,
    },
    /// Delete an account that has no containers
    Delete { account: String },
}

#[derive(Subcommand, Debug)]
enum User {
    /// List users
    List {
        /// Only those of this account
        #[arg(long)]
        account: Option<String>,
    },
    /// Create a user; the generated secret is printed once
    Create {
        /// ACCOUNT:USER
        user: String,
        /// The application that the user is bound to
        #[arg(long)]
        application: String,
        #[command(flatten)]
        secret: SecretFile,
    },
    /// Let a disabled user act again
    Enable { user: String },
    /// Refuse everything that the user asks for
    Disable { user: String },
    /// Give the user a new secret
    RotateSecret {
        user: String,
        #[command(flatten)]
        secret: SecretFile,
    },
    /// Delete a user with its memberships and policies
    Delete { user: String },
}

#[derive(Subcommand, Debug)]
enum Application {
    /// List all applications
    List,
    /// Create an application; the generated secret is printed once
    Create {
        application: String,
        #[command(flatten)]
        secret: SecretFile,
    },
    /// Let a disabled application act again
    Enable { application: String },
    /// Refuse everything that its users ask for
    Disable { application: String },
    /// Give the application a new secret
    RotateSecret {
        application: String,
        #[command(flatten)]
        secret: SecretFile,
    },
    /// Delete an application to which no user is bound
    Delete { application: String },
}

#[derive(Subcommand, Debug)]
enum Group {
    /// List groups
    List {
        /// Only those of this account
        #[arg(long)]
        account: Option<String>,
    },
    /// Create a group, ACCOUNT:GROUP
    Create { group: String },
    /// Delete a group with its memberships and policies
    Delete { group: String },
    /// Put a user into a group of the same account
    Add { group: String, user: String },
    /// Take a user out of a group
    Remove { group: String, user: String },
}

#[derive(Subcommand, Debug)]
enum Policy {
    /// List policies
    List {
        /// Only those of this account
        #[arg(long)]
        account: Option<String>,
    },
    /// Print a policy with its document
    Show { account: String, policy: String },
    /// Store a document and attach it; it is effective at every head within 2 s
    Put {
        account: String,
        policy: String,
        #[command(flatten)]
        target: Target,
        /// The policy document (JSON); `-` reads standard input
        #[arg(long, value_name = "FILE")]
        document: PathBuf,
    },
    /// Attach a policy to something else
    Attach {
        account: String,
        policy: String,
        #[command(flatten)]
        target: Target,
    },
    /// Delete a policy
    Delete { account: String, policy: String },
}

/// What a policy is attached to.
#[derive(Args, Debug)]
#[group(required = true, multiple = false)]
struct Target {
    /// A user, ACCOUNT:USER
    #[arg(long)]
    user: Option<String>,
    /// A group, ACCOUNT:GROUP
    #[arg(long)]
    group: Option<String>,
    /// An application
    #[arg(long)]
    application: Option<String>,
    /// A whole account: the document names its principals
    #[arg(long)]
    on_account: Option<String>,
    /// A container, ACCOUNT/CONTAINER: the document names its principals
    #[arg(long)]
    container: Option<String>,
}

#[derive(Subcommand, Debug)]
enum SigningKey {
    /// List the key ring
    List,
    /// Replace the active key of a role; the old one still verifies for its time
    Rotate { role: Role },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Role {
    Ticket,
    Preauth,
    TlsTicket,
}

#[derive(Subcommand, Debug)]
enum Revoke {
    /// One ticket, by its salt (`x-auth-salt`)
    Ticket { salt: String },
    /// Everything issued so far to a user, ACCOUNT:USER
    User { user: String },
    /// Everything issued so far to an application
    Application { application: String },
    /// A key of the ring, and whatever it signed
    Key { role: Role, id: String },
}

/// A chosen secret. It is read from a file, because other users of the machine
/// can read a command line.
#[derive(Args, Debug)]
struct SecretFile {
    /// File with the secret to use instead of a generated one; `-` reads standard input
    #[arg(long, value_name = "FILE")]
    secret_file: Option<PathBuf>,
}

impl SecretFile {
    fn add_to(&self, body: &mut Value) -> Result<()> {
        if let Some(file) = &self.secret_file {
            body["secret"] = read(file)?.trim_end_matches(['\r', '\n']).into();
        }
        Ok(())
    }
}

/// Runs one command of an administrator.
pub(crate) fn run(options: &Options, form: Form) -> Result<()> {
    let socket = socket(options)?;
    let request = request(&options.subject)?;
    let answer = crate::block_on(call(&socket, &request))?;
    match form {
        Form::Json => say(answer),
        Form::Text => print(show::text(&answer)),
    }
}

fn socket(options: &Options) -> Result<PathBuf> {
    if let Some(socket) = &options.socket {
        return Ok(socket.clone());
    }
    let env = |name: &str| -> Option<OsString> { std::env::var_os(name) };
    let profile = Profile::load(options.profile.as_deref(), &env)
        .map_err(|e| usage(format!("{:#}", anyhow::Error::from(e))))?;
    let path = profile.path.display().to_string();
    profile.admin.ok_or_else(|| usage(format!("{path} names no `admin` socket: give one with --socket")))
}

fn read(file: &Path) -> Result<String> {
    let text = if file == Path::new("-") {
        std::io::read_to_string(std::io::stdin())
    } else {
        std::fs::read_to_string(file)
    };
    text.with_context(|| format!("cannot read {}", file.display()))
}

fn request(subject: &Subject) -> Result<Call> {
    match subject {
        Subject::Account(account) => Ok(account_call(account)),
        Subject::User(user) => user_call(user),
        Subject::Application(application) => application_call(application),
        Subject::Group(group) => Ok(group_call(group)),
        Subject::Policy(policy) => policy_call(policy),
        Subject::SigningKey(SigningKey::List) => Ok(Call::get(&["signing-keys"])),
        Subject::SigningKey(SigningKey::Rotate { role }) => {
            Ok(Call::post(&["signing-keys", role.name(), "rotate"], json!({})))
        }
        Subject::Revoke(revoke) => Ok(revoke_call(revoke)),
        Subject::Head(head) => Ok(head.call()),
        Subject::Audit => Ok(Call::get(&["audit"])),
    }
}

fn account_call(account: &Account) -> Call {
    match account {
        Account::List => Call::get(&["accounts"]),
        Account::Create { account } => Call::post(&["accounts"], json!({"account": account})),
        Account::Quota { account, quota: Quota(bytes) } => {
            Call::put(&["accounts", account, "quota"], json!({"bytes": bytes}))
        }
        Account::Delete { account } => Call::delete(&["accounts", account]),
    }
}

fn user_call(user: &User) -> Result<Call> {
    Ok(match user {
        User::List { account } => Call::get(&["users"]).of_account(account.as_deref()),
        User::Create { user, application, secret } => {
            let mut body = json!({"user": user, "application": application});
            secret.add_to(&mut body)?;
            Call::post(&["users"], body)
        }
        User::Enable { user } => Call::post(&["users", user, "enable"], json!({})),
        User::Disable { user } => Call::post(&["users", user, "disable"], json!({})),
        User::RotateSecret { user, secret } => {
            let mut body = json!({});
            secret.add_to(&mut body)?;
            Call::post(&["users", user, "rotate-secret"], body)
        }
        User::Delete { user } => Call::delete(&["users", user]),
    })
}

fn application_call(application: &Application) -> Result<Call> {
    Ok(match application {
        Application::List => Call::get(&["applications"]),
        Application::Create { application, secret } => {
            let mut body = json!({"application": application});
            secret.add_to(&mut body)?;
            Call::post(&["applications"], body)
        }
        Application::Enable { application } => {
            Call::post(&["applications", application, "enable"], json!({}))
        }
        Application::Disable { application } => {
            Call::post(&["applications", application, "disable"], json!({}))
        }
        Application::RotateSecret { application, secret } => {
            let mut body = json!({});
            secret.add_to(&mut body)?;
            Call::post(&["applications", application, "rotate-secret"], body)
        }
        Application::Delete { application } => Call::delete(&["applications", application]),
    })
}

fn group_call(group: &Group) -> Call {
    match group {
        Group::List { account } => Call::get(&["groups"]).of_account(account.as_deref()),
        Group::Create { group } => Call::post(&["groups"], json!({"group": group})),
        Group::Delete { group } => Call::delete(&["groups", group]),
        Group::Add { group, user } => Call::put(&["groups", group, "members", local(user)], json!({})),
        Group::Remove { group, user } => Call::delete(&["groups", group, "members", local(user)]),
    }
}

/// The user's name within the group's account, which is the only one possible.
fn local(user: &str) -> &str {
    user.split_once(':').map_or(user, |(_account, name)| name)
}

fn policy_call(policy: &Policy) -> Result<Call> {
    Ok(match policy {
        Policy::List { account } => Call::get(&["policies"]).of_account(account.as_deref()),
        Policy::Show { account, policy } => Call::get(&["policies", account, policy]),
        Policy::Put { account, policy, target, document } => {
            let text = read(document)?;
            let document: Value = serde_json::from_str(&text)
                .map_err(|error| usage(format!("{} is not JSON: {error}", document.display())))?;
            Call::put(&["policies", account, policy], json!({"target": target.json(), "document": document}))
        }
        Policy::Attach { account, policy, target } => {
            Call::post(&["policies", account, policy, "attach"], json!({"target": target.json()}))
        }
        Policy::Delete { account, policy } => Call::delete(&["policies", account, policy]),
    })
}

impl Target {
    fn json(&self) -> Value {
        let named = [
            ("user", &self.user),
            ("group", &self.group),
            ("application", &self.application),
            ("account", &self.on_account),
            ("container", &self.container),
        ];
        // The parser has made sure that there is exactly one.
        let found = named.into_iter().find_map(|(kind, name)| Some((kind, name.as_ref()?)));
        found.map_or(Value::Null, |(kind, name)| json!({kind: name}))
    }
}

impl Role {
    const fn name(self) -> &'static str {
        match self {
            Self::Ticket => "ticket",
            Self::Preauth => "preauth",
            Self::TlsTicket => "tls-ticket",
        }
    }
}

fn revoke_call(revoke: &Revoke) -> Call {
    let body = match revoke {
        Revoke::Ticket { salt } => json!({"ticket": salt}),
        Revoke::User { user } => json!({"user": user}),
        Revoke::Application { application } => json!({"application": application}),
        Revoke::Key { role, id } => json!({"key": {"role": role.name(), "id": id}}),
    };
    Call::post(&["revoke"], body)
}
