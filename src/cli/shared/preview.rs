//! A plan looked at before anything runs: its inputs, when it is judged, and by which approvals and ledger.

use super::authority::AuthorityArguments;
use super::clock::ClockArguments;
use super::inputs::InputArguments;
use super::next::Typed;
use super::output::OutputArguments;
use crate::authorization::{Authorization, Inputs};
use crate::problem::Problems;
use crate::request::Stage;
use clap::Args;

#[derive(Args, Debug)]
pub struct PreviewArguments {
    #[command(flatten)]
    pub inputs: InputArguments,
    #[command(flatten)]
    clock: ClockArguments,
    #[command(flatten)]
    pub authority: AuthorityArguments,
}

impl PreviewArguments {
    /// Reads everything, as of the given time or now.
    pub fn load(&self, output: &OutputArguments) -> Result<Inputs, Problems> {
        self.inputs.load(self.clock.now, Some(&self.authority.ledger), output)
    }

    /// Decides the plan as far as that can be done before it runs.
    pub fn authorize<'a>(&self, inputs: &'a Inputs) -> Result<Authorization<'a>, Problems> {
        self.authority.authorize(inputs, Stage::Plan)
    }

    /// What the next command has in common with this one.
    pub fn typed(&self) -> Typed<'_> {
        Typed { inputs: &self.inputs, authority: &self.authority }
    }
}
