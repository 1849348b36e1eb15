//! `cutter schema`: the published schemas of inputs and results.

use crate::cli::shared::exit::CommandResult;
use crate::cli::shared::exit::Exit;
use crate::cli::shared::inputs::BundleArguments;
use crate::prelude::Prelude;
use clap::{Args, Subcommand};

#[derive(Args, Debug)]
pub struct Arguments {
    #[command(subcommand)]
    of: Of,
}

#[derive(Subcommand, Debug)]
enum Of {
    /// The JSON Schema of plans
    Plan,
    /// The JSON Schema of attestations, as `cutter attest` writes them
    Attestation,
    /// The type of `context.run` in the bundle's schema: what the runtime establishes
    Run(BundleArguments),
    /// The part of every bundle's schema that is built in, or its policies: what makes an approval mean anything
    Prelude {
        /// Its policies
        #[arg(long)]
        policies: bool,
    },
    /// The bundle's schema and the prelude's as one, for other tools
    Merged(BundleArguments),
}

impl Arguments {
    pub fn run(&self) -> CommandResult {
        let text = match &self.of {
            Of::Plan => include_str!("../../schemas/plan.schema.json").to_owned(),
            Of::Attestation => crate::attestation::schema::PUBLISHED.to_owned(),
            Of::Prelude { policies: false } => Prelude::current().schema.to_owned(),
            Of::Prelude { policies: true } => Prelude::current().policies.to_owned(),
            Of::Merged(bundle) => bundle.load()?.0.schema().merged()?,
            Of::Run(bundle) => format!("type RunFacts = {};\n", bundle.load()?.0.schema().run_type()),
        };
        Ok((text, Exit::Authorized))
    }
}
