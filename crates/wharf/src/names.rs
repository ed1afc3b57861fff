//! What the proxy is to know of a plan.

use wharf_model::{LaunchPlan, route::OriginForm};

/// Frameworks that compare `Origin` with `X-Forwarded-Proto` by themselves: Rack does, and with it all of
/// Ruby's (Rack 3, `Request#scheme`).
const FORWARDED: [&str; 5] = ["puma", "rackup", "rails", "sinatra", "webrick"];

/// In which form the server wants to hear of `https`.
pub(crate) fn origin_form(plan: &LaunchPlan) -> OriginForm {
    match &plan.framework {
        Some(framework) if FORWARDED.contains(&framework.id) => OriginForm::Forwarded,
        _ => OriginForm::Plain,
    }
}
