//! Sends four requests through the generated client, and prints what it read as JSON.
use quotes_client::apis::configuration::Configuration;
use quotes_client::apis::quotes_api::{create_quote, CreateQuoteError};
use quotes_client::apis::Error;
use quotes_client::models::*;
use serde_json::{json, Value};

fn stage(name: &str, hours: DeviceHoursQuantity) -> Stage {
    let work = Metered::new(metered::Kind::Metered, hours);
    Stage::new(name.to_string(), StageWork::Metered(Box::new(work)))
}

fn request(accelerator: &str, hours: DeviceHoursQuantity, rate: UsdPerDeviceHourQuantity) -> QuoteRequest {
    let stages = vec![
        stage("R1-Zero", hours),
        stage("SFT data", DeviceHoursQuantity::Number(5000.0)),
        stage("R1", DeviceHoursQuantity::Number(41000.0)),
    ];
    let choice = AcceleratorChoice::String(accelerator.to_string());
    let mut cluster = Cluster::new(choice, 512);
    let supply = Rate::new(rate::Kind::Rate, rate);
    cluster.supply = Some(Box::new(ClusterSupply::Rate(Box::new(supply))));
    let ids = ["deepseek-v3-pretrain", "deepseek-v3-context", "deepseek-v3-posttrain"];
    let base = BaseRuns::new(base_runs::Kind::Runs, ids.map(String::from).to_vec());
    let mut accounting = Accounting::new();
    accounting.base_model = Some(Box::new(AccountingBaseModel::BaseRuns(Box::new(base))));
    let mut question = QuoteRequest::new(Run::new("DeepSeek-R1".to_string(), stages), cluster);
    question.accounting = Some(Box::new(accounting));
    question
}

fn by_number(accelerator: &str) -> QuoteRequest {
    let rate = UsdPerDeviceHourQuantity::Number(2.0);
    request(accelerator, DeviceHoursQuantity::Number(101000.0), rate)
}

fn asked(url: &str, question: QuoteRequest) -> Result<Quote, Error<CreateQuoteError>> {
    let configuration = Configuration { base_path: url.to_string(), ..Configuration::new() };
    create_quote(&configuration, question, None)
}

fn refused(url: &str) -> Value {
    match asked(url, by_number("no-such-accelerator")) {
        Err(Error::ResponseError(refusal)) => {
            let problem: Problem = serde_json::from_str(&refusal.content).unwrap();
            let first = &problem.errors.as_ref().unwrap()[0];
            json!({"status": problem.status, "code": first.code, "pointer": first.pointer})
        }
        other => panic!("{other:?}"),
    }
}

fn total(quote: &Quote) -> &str {
    &quote.bases[0].total.as_ref().unwrap().amount
}

fn main() {
    let urls: Vec<String> = std::env::args().skip(1).collect();
    let (service, later) = (&urls[0], &urls[1]);
    let h800 = "nvidia-h800-sxm-80gb";
    let hours = DeviceHoursQuantity::Interval(Box::new(Interval::new(90000.0, 120000.0)));
    let rates = UsdPerDeviceHourQuantity::Interval(Box::new(Interval::new(1.8, 2.4)));
    let number = asked(service, by_number(h800)).unwrap();
    let interval = asked(service, request(h800, hours, rates)).unwrap();
    let added = asked(later, by_number(h800)).unwrap();
    let read = json!({
        "number": {"id": number.id, "total": total(&number)},
        "interval": {"id": interval.id},
        "refused": refused(service),
        "later": {
            "id": added.id,
            "total": total(&added),
            "status": added.bases.last().unwrap().status,
            "item": added.bases[0].lines[0].item,
            "warning": added.warnings[0].code,
        },
        "later_refused": refused(later),
    });
    println!("{read}");
}
