//! The `OpenAPI` document: addresses from the table of routes, shapes from the same types as the records' schemas. Pure.

use std::borrow::Cow;

use schemars::generate::{SchemaGenerator, SchemaSettings};
use schemars::{JsonSchema, Schema};
use serde_json::{Value, json};
use utoipa::openapi::path::{OperationBuilder, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::request_body::{RequestBody, RequestBodyBuilder};
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{
    ComponentsBuilder, ContentBuilder, HttpMethod, InfoBuilder, ObjectBuilder, OpenApiBuilder,
    PathItem, PathsBuilder, Ref, Required, Response, ResponseBuilder, ResponsesBuilder, Type,
};

use crate::desk::error::ErrorBody;
use crate::desk::routes::{Answer, Route, table};
use crate::desk::wire::CommandAnswer;
use crate::project::Change;

const JSON: &str = "application/json";
const BEARER: &str = "bearer";
const SCHEMAS: &str = "#/components/schemas/";

/// A named shape of a body or an answer.
#[derive(Clone, Copy)]
pub(super) struct Shape {
    name: fn() -> Cow<'static, str>,
    register: fn(&mut SchemaGenerator) -> Schema,
}

impl Shape {
    /// The shape of `T`.
    pub(super) fn of<T: JsonSchema>() -> Self {
        Self { name: T::schema_name, register: SchemaGenerator::subschema_for::<T> }
    }

    fn content(self) -> utoipa::openapi::Content {
        ContentBuilder::new().schema(Some(Ref::new(format!("{SCHEMAS}{}", (self.name)())))).build()
    }
}

/// The document, as it is served at `/v1/openapi.json`.
#[must_use]
pub fn document() -> Value {
    let table = table();
    let mut paths = PathsBuilder::new();
    for route in &table {
        paths = paths.path(route.path, PathItem::new(route.method.clone(), operation(route)));
    }
    let bearer = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
    let components = ComponentsBuilder::new().security_scheme(BEARER, bearer).build();
    let info = InfoBuilder::new()
        .title("dmstream desk")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some("Conversations of Instagram Direct, and what agents do with them."));
    let api = OpenApiBuilder::new()
        .info(info.build())
        .paths(paths.build())
        .components(Some(components))
        .security(Some([SecurityRequirement::new(BEARER, [] as [&str; 0])]))
        .build();
    let mut document = serde_json::to_value(api).unwrap_or_else(|_unlikely| json!({}));
    if let Some(components) = document.get_mut("components").and_then(Value::as_object_mut) {
        components.insert("schemas".to_owned(), Value::Object(schemas(&table)));
    }
    document
}

/// Every shape the table names, and every shape within them.
fn schemas(table: &[Route]) -> serde_json::Map<String, Value> {
    let mut settings = SchemaSettings::draft2020_12();
    settings.definitions_path = "/components/schemas".into();
    let mut generator = settings.into_generator();
    let views = table.iter().filter_map(|route| match route.answer {
        Answer::View(shape) | Answer::Set(shape) => Some(shape),
        Answer::Command | Answer::Events | Answer::Document => None,
    });
    let bodies = table.iter().filter_map(|route| route.body);
    let always = [Shape::of::<ErrorBody>(), Shape::of::<CommandAnswer>(), Shape::of::<Change>()];
    for shape in views.chain(bodies).chain(always) {
        (shape.register)(&mut generator);
    }
    generator.take_definitions(true)
}

fn operation(route: &Route) -> OperationBuilder {
    let operation = OperationBuilder::new()
        .summary(Some(route.summary))
        .operation_id(Some(operation_id(route)))
        .request_body(route.body.map(body))
        .responses(responses(route).build());
    parameters(route).into_iter().fold(operation, OperationBuilder::parameter)
}

fn body(shape: Shape) -> RequestBody {
    RequestBodyBuilder::new().content(JSON, shape.content()).build()
}

fn responses(route: &Route) -> ResponsesBuilder {
    let error = |when: &str| answered(when, Shape::of::<ErrorBody>());
    let with_errors = ResponsesBuilder::new()
        .response("400", error("Not understood."))
        .response("401", error("No token, or none of this desk."))
        .response("404", error("No such thing."))
        .response("500", error("The desk failed."));
    match route.answer {
        Answer::View(shape) => {
            with_errors.response("200", answered("As it stands.", shape)).response(
                "403",
                error("An agent's token for another agent, or for an administrator's address."),
            )
        }
        Answer::Set(shape) => with_errors
            .response("200", answered("In force, or to come, on this machine.", shape))
            .response("202", answered("Recorded; not yet known on this machine.", shape))
            .response("403", error("An agent's token."))
            .response("409", error("More is set than is kept."))
            .response("413", error("The body is larger than 64 KiB."))
            .response("503", error("Not recorded now; again after `Retry-After`.")),
        Answer::Command => with_errors
            .response("200", answered("Carried out.", Shape::of::<CommandAnswer>()))
            .response("202", answered("Recorded; not known yet.", Shape::of::<CommandAnswer>()))
            .response("403", error("An agent's token for another agent."))
            .response("409", error("Refused: things do not stand so that it could be done."))
            .response("410", error("Refused: the offer is gone."))
            .response("413", error("The body is larger than 64 KiB."))
            .response("422", error("Refused: this can never be sent."))
            .response("503", error("Not recorded now; again after `Retry-After`.")),
        Answer::Events => {
            let content = ("text/event-stream", Shape::of::<Change>().content());
            let events = ResponseBuilder::new()
                .description("`change` with what to read again; `reload`: read everything again.")
                .content(content.0, content.1);
            with_errors
                .response("200", events.build())
                .response("503", error("Too many listeners; again after `Retry-After`."))
        }
        Answer::Document => {
            let any = ObjectBuilder::new().schema_type(Type::Object).build();
            let content = ContentBuilder::new().schema(Some(any)).build();
            let this = ResponseBuilder::new().description("OpenAPI 3.1.").content(JSON, content);
            with_errors.response("200", this.build())
        }
    }
}

fn answered(when: &str, shape: Shape) -> Response {
    ResponseBuilder::new().description(when).content(JSON, shape.content()).build()
}

fn parameters(route: &Route) -> Vec<Parameter> {
    let text = || Some(ObjectBuilder::new().schema_type(Type::String).build());
    let in_path = path_names(route.path).map(|name| {
        ParameterBuilder::new()
            .name(name)
            .parameter_in(ParameterIn::Path)
            .required(Required::True)
            .schema(text())
            .build()
    });
    let optional = |name: &str, place: ParameterIn, meaning: &str| {
        ParameterBuilder::new()
            .name(name)
            .parameter_in(place)
            .required(Required::False)
            .description(Some(meaning))
            .schema(text())
            .build()
    };
    let in_query =
        route.query.iter().map(|(name, meaning)| optional(name, ParameterIn::Query, meaning));
    let key = matches!(route.answer, Answer::Command).then(|| {
        let meaning = "1 to 64 visible ASCII characters: the same twice acts once.";
        optional("Idempotency-Key", ParameterIn::Header, meaning)
    });
    in_path.chain(in_query).chain(key).collect()
}

/// The names between braces.
fn path_names(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
}

/// `get_v1_agents_id`: stable, and one an address.
fn operation_id(route: &Route) -> String {
    let words = route.path.split(['/', '-']).filter(|word| !word.is_empty());
    let plain: Vec<&str> = words.map(|word| word.trim_matches(['{', '}'])).collect();
    let method = match route.method {
        HttpMethod::Get => "get",
        HttpMethod::Post => "post",
        HttpMethod::Put => "put",
        HttpMethod::Delete => "delete",
        HttpMethod::Options => "options",
        HttpMethod::Head => "head",
        HttpMethod::Patch => "patch",
        HttpMethod::Trace => "trace",
    };
    format!("{method}_{}", plain.join("_"))
}
