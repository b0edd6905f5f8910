//! `/openapi.json`, and Swagger UI at `/docs` from files within the binary, so that it works offline.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use bytes::Bytes;
use odd_contracts::Role;
use utoipa::openapi::OpenApi;
use utoipa_swagger_ui::{Config, Url};

use crate::error::ServeError;
use crate::problem::ApiError;

const OPENAPI: &str = "/openapi.json";

type Ui = Arc<Config<'static>>;

pub(super) fn routes(role: Role, openapi: &OpenApi) -> Result<Router, ServeError> {
    let document = Bytes::from(serde_json::to_vec(openapi).map_err(ServeError::OpenApi)?);
    let ui: Ui = Arc::new(Config::new([Url::with_primary(role.name(), OPENAPI, true)]));
    Ok(Router::new()
        .route(
            OPENAPI,
            get(async move || ([(CONTENT_TYPE, "application/json")], document.clone())),
        )
        .route("/docs", get(async || Redirect::permanent("/docs/")))
        .route("/docs/", get(async |State(ui): State<Ui>| file("", ui)))
        .route(
            "/docs/{*path}",
            get(async |Path(path): Path<String>, State(ui): State<Ui>| file(&path, ui)),
        )
        .with_state(ui))
}

fn file(path: &str, ui: Ui) -> Response {
    match utoipa_swagger_ui::serve(path, ui) {
        Ok(Some(file)) => {
            let headers = [
                (CONTENT_TYPE, file.content_type),
                (CACHE_CONTROL, "no-cache".to_owned()),
            ];
            (headers, file.bytes.into_owned()).into_response()
        }
        Ok(None) => ApiError::not_found(format!("there is nothing at /docs/{path}")).into_response(),
        Err(error) => ApiError::internal(&error).into_response(),
    }
}
