//! Repono: an object store whose connections never stall.
//!
//! One binary: a thin subcommand for each service and each tool.

mod admin;
mod connect;
mod diagnose;
mod doctor;
mod lab;
mod length;
mod objects;
mod output;
mod printable;
mod progress;
mod record;
mod service;
mod tail;
mod ticket;
mod top;
mod trust;
mod up;

use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};

use crate::output::Form;

/// An object store like S3: four stateless heads over HTTPS behind a layer-4
/// balancer, short-lived tickets, and connections that never stall
#[derive(Parser, Debug)]
#[command(name = "repono", version, max_term_width = 100)]
struct Arguments {
    /// Print facts and errors as JSON
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Start everything on this machine: vending, heads, balancer, embedded store
    Up(up::Options),
    /// Vend a ticket
    Ticket(ticket::Options),
    /// Put files, folders or standard input
    Put(objects::PutOptions),
    /// Get objects, verified and resumable
    Get(objects::GetOptions),
    /// List containers or objects
    Ls(objects::ListOptions),
    /// Show what is known of an object
    Stat(objects::StatOptions),
    /// Delete objects
    Rm(objects::RemoveOptions),
    /// Print a pre-authorized URL of an object
    Share(objects::ShareOptions),
    /// Create and delete containers
    Container(objects::ContainerOptions),
    /// Users, applications, groups, policies, keys, revocation, heads
    Admin(admin::Options),
    /// Replay the incident on this machine: faults, and their remedies
    Lab(lab::Options),
    /// Find what happened, on which hop, from logs
    Diagnose(diagnose::Options),
    /// Show requests as they end, from the journals
    Tail(tail::Options),
    /// Show heads, rates, percentiles, slow requests and closes, live
    Top(top::Options),
    /// Measure how an endpoint ends quiet connections, and which clients are safe with it
    Doctor(doctor::Options),
    /// Relay connections to a server, and record what becomes of them
    Record(record::Options),
    /// Run one head
    Head(service::Options),
    /// Run the balancer
    Balancer(service::BalancerOptions),
    /// Run the vending service
    Vending(service::Options),
    /// Run the monitor
    Monitor(service::Options),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let form = if arguments.json { Form::Json } else { Form::Text };
    match run(arguments.command, form) {
        Ok(code) => code,
        Err(error) => output::report(&error, form),
    }
}

fn run(command: Command, form: Form) -> Result<ExitCode> {
    let done = match command {
        Command::Diagnose(options) => return diagnose::run(&options, form),
        Command::Tail(options) => return tail::run(&options, form),
        Command::Top(options) => return top::run(&options, form),
        Command::Doctor(options) => return doctor::run(&options, form),
        Command::Up(options) => up::run(&options, form),
        Command::Ticket(options) => ticket::run(&options, form),
        Command::Put(options) => objects::put(&options, form),
        Command::Get(options) => objects::get(&options, form),
        Command::Ls(options) => objects::list(&options, form),
        Command::Stat(options) => objects::stat(&options, form),
        Command::Rm(options) => objects::remove(&options, form),
        Command::Share(options) => objects::share(&options, form),
        Command::Container(options) => objects::container(&options, form),
        Command::Admin(options) => admin::run(&options, form),
        Command::Lab(options) => lab::run(&options, form),
        Command::Record(options) => record::run(&options, form),
        Command::Head(options) => service::head(&options, form),
        Command::Balancer(options) => service::balancer(&options, form),
        Command::Vending(options) => service::vending(&options, form),
        Command::Monitor(options) => service::monitor(&options, form),
    };
    done.map(|()| ExitCode::SUCCESS)
}

/// Runs `future` to its end on a runtime of its own.
fn block_on<T>(future: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?
        .block_on(future)
}
