//! The one door to the project: `cargo x dev`, `cargo x test`, and everything else a contributor or CI runs.
//! Never part of the server: what it starts are the toolchain, the built binary and the clients that test it.

// Tools run in the real world: they read the clock, the environment and their arguments.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)]
#![allow(missing_docs)]

mod bench;
mod bless;
mod check;
mod ci;
mod client;
mod clients;
mod crash;
mod deny;
mod dev;
mod fuzz;
mod interop;
mod lint;
mod process;
mod reference;
mod scale;
mod server;
mod sim;
mod test;
mod tidy;
mod workspace;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo x", about = "The one door to the project.", version)]
struct Door {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Builds the server and runs it for development: accounts, a few messages, a table of ports
    Dev(dev::Options),
    /// Runs every test: the crates' own, the real clients, the crash test, the simulation, the tidy checks
    Test(test::Options),
    /// Checks the shape of the source: layers, module heads, cited RFCs, named paths, generated pages
    Tidy,
    /// Checks formatting and clippy's lints
    Lint,
    /// Checks the licences and the sources of everything we depend on
    Deny,
    /// Does what CI does
    Ci,
    /// Writes the generated pages and the expected sides of the transcripts anew
    Bless(bless::Options),
    /// Installs the mail clients and servers that the tests talk to
    Clients(clients::Options),
    /// Runs real mail clients against the built server
    Interop(interop::Options),
    /// Kills the server again and again under load and checks that nothing acknowledged is lost
    Crash(crash::Options),
    /// Runs random commands against the reference model, with faults, from seeds
    Sim(sim::Options),
    /// Lets many IMAP clients do random things and holds every answer against the RFCs
    CheckImap(check::Options),
    /// Fuzzes one parser
    Fuzz(fuzz::Options),
    /// Measures how cost grows with mailboxes, messages and sessions, and writes docs/growth.md
    Scale(scale::Options),
    /// Measures our server beside Postfix and Dovecot, and writes docs/benchmarks.md
    Bench(bench::Options),
}

fn main() -> std::process::ExitCode {
    let outcome = match Door::parse().command {
        Command::Dev(options) => dev::run(&options),
        Command::Test(options) => test::run(&options),
        Command::Tidy => tidy::run(),
        Command::Lint => lint::run(),
        Command::Deny => deny::run(),
        Command::Ci => ci::run(),
        Command::Bless(options) => bless::run(&options),
        Command::Clients(options) => clients::run(&options),
        Command::Interop(options) => interop::run(&options),
        Command::Crash(options) => crash::run(&options),
        Command::Sim(options) => sim::run(&options),
        Command::CheckImap(options) => check::run(&options),
        Command::Fuzz(options) => fuzz::run(&options),
        Command::Scale(options) => scale::run(&options),
        Command::Bench(options) => bench::run(&options),
    };
    match outcome {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            std::process::ExitCode::FAILURE
        }
    }
}
