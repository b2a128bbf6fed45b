import java.util.List;
import java.util.Map;
import org.openapitools.client.ApiClient;
import org.openapitools.client.ApiException;
import org.openapitools.client.api.QuotesApi;
import org.openapitools.client.model.*;

/** Sends four requests through the generated client, and prints what it read as JSON. */
public class Main {
  static final List<String> BASE_RUNS =
      List.of("deepseek-v3-pretrain", "deepseek-v3-context", "deepseek-v3-posttrain");

  static Stage stage(String name, DeviceHoursQuantity hours) {
    Metered work = new Metered().kind(Metered.KindEnum.METERED).deviceHours(hours);
    return new Stage().name(name).work(new StageWork(work));
  }

  static QuoteRequest request(
      String accelerator, DeviceHoursQuantity hours, UsdPerDeviceHourQuantity rate) {
    Rate supply = new Rate().kind(Rate.KindEnum.RATE).usdPerDeviceHour(rate);
    BaseRuns base = new BaseRuns().kind(BaseRuns.KindEnum.RUNS);
    base.setIds(BASE_RUNS);
    return new QuoteRequest()
        .run(
            new Run()
                .name("DeepSeek-R1")
                .stages(
                    List.of(
                        stage("R1-Zero", hours),
                        stage("SFT data", new DeviceHoursQuantity(5000.0)),
                        stage("R1", new DeviceHoursQuantity(41000.0)))))
        .cluster(
            new Cluster()
                .accelerator(new AcceleratorChoice(accelerator))
                .devices(512)
                .supply(new ClusterSupply(supply)))
        .accounting(new Accounting().baseModel(new AccountingBaseModel(base)));
  }

  static QuoteRequest byNumber(String accelerator) {
    return request(
        accelerator, new DeviceHoursQuantity(101000.0), new UsdPerDeviceHourQuantity(2.0));
  }

  static Quote asked(String url, QuoteRequest question) throws ApiException {
    ApiClient client = new ApiClient();
    client.updateBaseUri(url);
    return new QuotesApi(client).createQuote(question, null);
  }

  static Map<String, Object> refused(String url) throws Exception {
    try {
      asked(url, byNumber("no-such-accelerator"));
    } catch (ApiException refusal) {
      Problem problem =
          ApiClient.createDefaultObjectMapper().readValue(refusal.getResponseBody(), Problem.class);
      Fault first = problem.getErrors().get(0);
      return Map.of(
          "status", problem.getStatus(), "code", first.getCode(), "pointer", first.getPointer());
    }
    throw new IllegalStateException("it was not refused");
  }

  public static void main(String[] urls) throws Exception {
    String service = urls[0];
    String later = urls[1];
    String h800 = "nvidia-h800-sxm-80gb";
    Interval hours = new Interval().low(90000.0).high(120000.0);
    Interval rates = new Interval().low(1.8).high(2.4);
    Quote number = asked(service, byNumber(h800));
    Quote interval =
        asked(
            service,
            request(h800, new DeviceHoursQuantity(hours), new UsdPerDeviceHourQuantity(rates)));
    Quote added = asked(later, byNumber(h800));
    Bill first = added.getBases().get(0);
    Map<String, Object> read =
        Map.of(
            "number",
            Map.of(
                "id", number.getId(), "total", number.getBases().get(0).getTotal().getAmount()),
            "interval",
            Map.of("id", interval.getId()),
            "refused",
            refused(service),
            "later",
            Map.of(
                "id", added.getId(),
                "total", first.getTotal().getAmount(),
                "status", added.getBases().get(added.getBases().size() - 1).getStatus(),
                "item", first.getLines().get(0).getItem(),
                "warning", added.getWarnings().get(0).getCode()),
            "later_refused",
            refused(later));
    System.out.println(ApiClient.createDefaultObjectMapper().writeValueAsString(read));
  }
}
