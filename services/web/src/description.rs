//! Description of the interface.

use axum::Json;
use axum::extract::State;
use odd_contracts::Problem;
use utoipa::OpenApi as _;
use utoipa::openapi::path::{HttpMethod, Operation, OperationBuilder, ParameterBuilder, ParameterIn};
use utoipa::openapi::{OpenApi, Response};

use crate::interfaces::Interfaces;
use crate::proxy::{self, Passed};

#[derive(utoipa::OpenApi)]
#[openapi(
    info(description = "Serves the dashboard, and passes requests on: what begins with `/api` to the read-model, what \
        begins with `/gateway` to the gateway. Their own descriptions tell more of each; here is the list of what is \
        passed on."),
    paths(page, interfaces),
    components(schemas(Problem)),
    tags(
        (name = "page", description = "What browsers open"),
        (name = "terminal", description = "The dashboard of the terminal, in a browser"),
        (name = "gateway", description = "Passed on to the gateway"),
        (name = "read-model", description = "Passed on to the read-model"),
    ),
)]
struct Page;

/// The page.
#[utoipa::path(get, path = "/", tag = "page", responses(
    (status = 200, body = String, description = "The page", content_type = "text/html"),
    (status = 304, description = "The client has it already"),
))]
#[expect(
    dead_code,
    reason = "only its description is used: files are served by one handler"
)]
async fn page() {}

/// Where the other user interfaces are.
#[utoipa::path(get, path = "/interfaces", tag = "page", responses((status = 200, body = Interfaces)))]
pub(crate) async fn interfaces(State(interfaces): State<Interfaces>) -> Json<Interfaces> {
    Json(interfaces)
}

/// Description of the interface.
pub(crate) fn openapi() -> OpenApi {
    let mut openapi = Page::openapi();
    openapi.merge(crate::terminal::described());
    for passed in proxy::all() {
        let method = if passed.method.is_safe() {
            HttpMethod::Get
        } else {
            HttpMethod::Post
        };
        openapi
            .paths
            .add_path_operation(passed.route(), vec![method], operation(&passed));
    }
    openapi
}

fn operation(passed: &Passed) -> Operation {
    let role = passed.upstream.role();
    let operation = OperationBuilder::new()
        .tag(role.name())
        .summary(Some(format!("{} {} of the {role}", passed.method, passed.path)))
        .response("default", Response::new(format!("What the {role} answers")))
        .response("502", Response::new(format!("The {role} does not answer")))
        .response("504", Response::new(format!("The {role} did not answer in time")));
    if passed.path.contains("{id}") {
        let id = ParameterBuilder::new().name("id").parameter_in(ParameterIn::Path);
        return operation.parameter(id).build();
    }
    operation.build()
}
