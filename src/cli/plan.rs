//! `cutter plan`: the signature of a plan by its author, and all that a live run asks of the trust root.

use super::bundle::Signature;
use crate::cli::shared::clock::system_time;
use crate::cli::shared::exit::CommandResult;
use crate::cli::shared::exit::Exit;
use crate::cli::shared::exit::no_json;
use crate::cli::shared::format::TableOrJson;
use crate::cli::shared::inputs::BundleArguments;
use crate::cli::shared::outlook;
use crate::cli::shared::output::OutputArguments;
use crate::cli::shared::signing;
use crate::cli::shared::signing::warn_of_distrusted;
use crate::cli::shared::trust::TrustArguments;
use crate::files;
use crate::layout::printable;
use crate::plan::RunPlan;
use crate::policy::PolicyBundle;
use crate::problem::{Code, Coded as _, Problems};
use crate::project;
use crate::render;
use crate::signature::PLAN;
use crate::trust::{Claims, RunningUser, SignatureFile, Trusted, judge};
use clap::{Args, Subcommand};
use serde::Serialize;
use std::path::PathBuf;

#[derive(Args, Debug)]
pub struct Arguments {
    #[command(subcommand)]
    work: Work,
}

#[derive(Subcommand, Debug)]
enum Work {
    /// Sign the exact bytes of the plan into `PLAN.sig`; the author does
    Sign(SignArguments),
    /// Check everything that a live run asks of the trust root: bundle, plan, author and the running user
    Verify(VerifyArguments),
}

/// A plan and what it is read against.
#[derive(Args, Debug)]
struct PlanArguments {
    /// The plan: a JSON file, beside which its signature lies
    #[arg(value_name = "PLAN")]
    plan: PathBuf,
    #[command(flatten)]
    bundle: BundleArguments,
}

#[derive(Args, Debug)]
struct SignArguments {
    #[command(flatten)]
    plan: PlanArguments,
    /// The private key, or a public key whose private half an agent holds
    #[arg(long, value_name = "KEY")]
    key: PathBuf,
    #[command(flatten)]
    trust: TrustArguments,
    /// Put the signature in the place of the one there
    #[arg(long)]
    replace: bool,
    /// The form of the result
    #[arg(long, value_enum, default_value_t)]
    format: TableOrJson,
}

#[derive(Args, Debug)]
struct VerifyArguments {
    #[command(flatten)]
    plan: PlanArguments,
    #[command(flatten)]
    trust: TrustArguments,
    /// The row that the running user would run
    #[arg(value_name = "ACTION")]
    action: Option<String>,
    /// The form of the result
    #[arg(long, value_enum, default_value_t)]
    format: TableOrJson,
}

/// What the trust root vouches for, version 1.
#[derive(Serialize)]
struct Vouched {
    version: u32,
    plan_sha256: String,
    plan_signer: String,
    policies_sha256: String,
    bundle_signer: String,
    user: String,
    principal: String,
}

impl Arguments {
    pub fn run(&self, output: &OutputArguments) -> CommandResult {
        match &self.work {
            Work::Sign(arguments) => arguments.run(output),
            Work::Verify(arguments) => arguments.run(output),
        }
    }
}

impl PlanArguments {
    /// Both, and whether the configuration names a ledger that serves several users.
    fn load(&self) -> Result<(PolicyBundle, RunPlan, bool), Problems> {
        let (bundle, config) = self.bundle.load()?;
        let plan = RunPlan::parse(&files::read_plan(&self.plan)?, bundle.schema(), config.as_ref(), &project::program)
            .coded(Code::PlanInvalid)?;
        let is_shared = config.is_some_and(|config| config.ledger.path.is_none() && config.ledger.database.is_some());
        Ok((bundle, plan, is_shared))
    }
}

impl SignArguments {
    fn run(&self, output: &OutputArguments) -> CommandResult {
        self.trust.check()?;
        // A plan that does not load is not worth a signature.
        let (_, plan, _) = self.plan.load()?;
        let path = SignatureFile::path_beside(&self.plan.plan)?;
        let make = if self.replace { signing::replace_file } else { signing::make_file };
        let key = make(&path, &self.key, PLAN, plan.source.text().as_bytes())?;
        warn_of_distrusted(&self.trust, key, PLAN, output);
        Signature::new("plan", plan.digest.to_string(), &path, key.to_string(), None).show(self.format)
    }
}

impl VerifyArguments {
    fn run(&self, output: &OutputArguments) -> CommandResult {
        let mut problems = Problems::new();
        let loaded = problems.absorb(self.plan.load());
        let trust = problems.absorb(self.trust.load_for_use());
        let user = problems.absorb(RunningUser::of_this_process());
        let revocations = problems.absorb(self.trust.revocations());
        let (Some((bundle, plan, is_shared)), Some(trust), Some(user), Some(revocations)) =
            (loaded, trust, user, revocations)
        else {
            return Err(problems);
        };
        let acting = match &self.action {
            Some(id) => vec![&plan.named(id)?.principal],
            None => Vec::new(),
        };
        let claims = Claims {
            bundle: &bundle,
            bundle_signature: &SignatureFile::beside(self.plan.bundle.folder())?,
            plan: &plan,
            plan_signature: &SignatureFile::beside(&self.plan.plan)?,
            user: &user,
            acting: &acting,
        };
        let vouched =
            Vouched::new(&judge(&trust, &claims, &revocations, system_time()?).coded(Code::RunUntrusted)?, &user);
        output.warn(&outlook::of_plan(&plan, is_shared));
        output.warn(&outlook::without_work(&plan));
        let text = match self.format {
            TableOrJson::Table => vouched.text(),
            TableOrJson::Json => render::json::document(&vouched).map_err(no_json)?,
        };
        Ok((text, Exit::Authorized))
    }
}

impl Vouched {
    fn new(trusted: &Trusted, user: &RunningUser) -> Self {
        Self {
            version: 1,
            plan_sha256: trusted.plan().to_string(),
            plan_signer: trusted.plan_signer().principal.clone(),
            policies_sha256: trusted.policies().to_string(),
            bundle_signer: trusted.bundle_signer().principal.clone(),
            user: user.name().to_owned(),
            principal: trusted.principal().to_string(),
        }
    }

    fn text(&self) -> String {
        let line = |name: &str, text: &str| format!("{name:<8} {}\n", printable(text));
        [
            line("plan", &format!("sha256 {}", self.plan_sha256)),
            line("signed", &format!("by {}", self.plan_signer)),
            line("policies", &format!("sha256 {}", self.policies_sha256)),
            line("signed", &format!("by {}", self.bundle_signer)),
            line("user", &format!("{} is {}", self.user, self.principal)),
        ]
        .concat()
    }
}
