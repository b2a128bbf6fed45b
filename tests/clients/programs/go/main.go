// Sends four requests through the generated client, and prints what it read as JSON.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"os"

	runquote "example.org/clients/runquote"
)

func metered(name string, hours runquote.DeviceHoursQuantity) runquote.Stage {
	return *runquote.NewStage(name, runquote.MeteredAsStageWork(runquote.NewMetered("metered", hours)))
}

func number(value float64) runquote.DeviceHoursQuantity {
	return runquote.Float64AsDeviceHoursQuantity(&value)
}

func request(accelerator string, hours runquote.DeviceHoursQuantity, rate runquote.UsdPerDeviceHourQuantity) runquote.QuoteRequest {
	stages := []runquote.Stage{
		metered("R1-Zero", hours),
		metered("SFT data", number(5000)),
		metered("R1", number(41000)),
	}
	run := runquote.NewRun("DeepSeek-R1", stages)
	cluster := runquote.NewCluster(runquote.StringAsAcceleratorChoice(&accelerator), 512)
	cluster.SetSupply(runquote.RateAsClusterSupply(runquote.NewRate("rate", rate)))
	ids := []string{"deepseek-v3-pretrain", "deepseek-v3-context", "deepseek-v3-posttrain"}
	accounting := runquote.NewAccounting()
	accounting.SetBaseModel(runquote.BaseRunsAsAccountingBaseModel(runquote.NewBaseRuns("runs", ids)))
	question := runquote.NewQuoteRequest(*run, *cluster)
	question.SetAccounting(*accounting)
	return *question
}

func asked(url string, question runquote.QuoteRequest) (*runquote.Quote, error) {
	configuration := runquote.NewConfiguration()
	configuration.Servers = runquote.ServerConfigurations{{URL: url}}
	client := runquote.NewAPIClient(configuration)
	quote, _, err := client.QuotesAPI.CreateQuote(context.Background()).QuoteRequest(question).Execute()
	return quote, err
}

func quoted(url string, question runquote.QuoteRequest) *runquote.Quote {
	quote, err := asked(url, question)
	if err != nil {
		panic(err)
	}
	return quote
}

func refused(url string, question runquote.QuoteRequest) map[string]any {
	_, err := asked(url, question)
	var refusal *runquote.GenericOpenAPIError
	if !errors.As(err, &refusal) {
		panic(err)
	}
	problem := refusal.Model().(runquote.Problem)
	first := problem.Errors[0]
	return map[string]any{"status": problem.Status, "code": first.Code, "pointer": first.GetPointer()}
}

func main() {
	service, later := os.Args[1], os.Args[2]
	h800 := "nvidia-h800-sxm-80gb"
	two := 2.0
	rate := runquote.Float64AsUsdPerDeviceHourQuantity(&two)
	between := runquote.NewInterval(90000, 120000)
	rates := runquote.NewInterval(1.8, 2.4)

	byNumber := quoted(service, request(h800, number(101000), rate))
	byInterval := quoted(service, request(
		h800,
		runquote.IntervalAsDeviceHoursQuantity(between),
		runquote.IntervalAsUsdPerDeviceHourQuantity(rates),
	))
	added := quoted(later, request(h800, number(101000), rate))
	last := added.Bases[len(added.Bases)-1]

	encoded, err := json.Marshal(map[string]any{
		"number":   map[string]any{"id": byNumber.Id, "total": byNumber.Bases[0].Total.Amount},
		"interval": map[string]any{"id": byInterval.Id},
		"refused":  refused(service, request("no-such-accelerator", number(101000), rate)),
		"later": map[string]any{
			"id":      added.Id,
			"total":   added.Bases[0].Total.Amount,
			"status":  last.Status,
			"item":    added.Bases[0].Lines[0].Item,
			"warning": added.Warnings[0].Code,
		},
		"later_refused": refused(later, request("no-such-accelerator", number(101000), rate)),
	})
	if err != nil {
		panic(err)
	}
	os.Stdout.Write(encoded)
}
