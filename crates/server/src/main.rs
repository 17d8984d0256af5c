//! `yubin`: a complete mail server in one binary. This file only starts; see `cli` for the commands and `app` for the wiring.

mod admin;
mod app;
mod cli;
mod clock;
mod config;
mod deflate;
mod dev;
mod dkim;
mod dns;
mod events;
mod garbage;
mod http;
mod jobs;
mod judging;
mod limits;
mod listen;
mod logging;
mod metrics;
mod offload;
mod outbound;
mod scripts;
mod sending;
mod serve;
mod start;
mod tls;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    cli::main()
}
