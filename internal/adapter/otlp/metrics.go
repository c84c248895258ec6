package otlp

import (
	"context"
	"fmt"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	metricspb "go.opentelemetry.io/proto/otlp/metrics/v1"
	resourcepb "go.opentelemetry.io/proto/otlp/resource/v1"
)

// Metrics returns a sender of metrics: counters and histograms.
func Metrics(c Collector) metric.Exporter { return metrics{c} }

type metrics struct{ Collector }

func (metrics) Temporality(kind metric.InstrumentKind) metricdata.Temporality {
	return metric.DefaultTemporalitySelector(kind)
}

func (metrics) Aggregation(kind metric.InstrumentKind) metric.Aggregation {
	return metric.DefaultAggregationSelector(kind)
}

func (metrics) ForceFlush(context.Context) error { return nil }
func (metrics) Shutdown(context.Context) error   { return nil }

// Export sends what was counted.
func (c metrics) Export(ctx context.Context, rm *metricdata.ResourceMetrics) error {
	out := &metricspb.ResourceMetrics{Resource: &resourcepb.Resource{Attributes: pairs(rm.Resource.Attributes())}, SchemaUrl: rm.Resource.SchemaURL()}
	for _, scope := range rm.ScopeMetrics {
		s := &metricspb.ScopeMetrics{Scope: &commonpb.InstrumentationScope{Name: scope.Scope.Name, Version: scope.Scope.Version}}
		for _, m := range scope.Metrics {
			one, err := converted(m)
			if err != nil {
				return err
			}
			s.Metrics = append(s.Metrics, one)
		}
		out.ScopeMetrics = append(out.ScopeMetrics, s)
	}
	return c.send(ctx, &metricspb.MetricsData{ResourceMetrics: []*metricspb.ResourceMetrics{out}})
}

func converted(m metricdata.Metrics) (*metricspb.Metric, error) {
	out := &metricspb.Metric{Name: m.Name, Description: m.Description, Unit: m.Unit}
	switch data := m.Data.(type) {
	case metricdata.Sum[int64]:
		out.Data = &metricspb.Metric_Sum{Sum: sum(data, func(n int64, p *metricspb.NumberDataPoint) {
			p.Value = &metricspb.NumberDataPoint_AsInt{AsInt: n}
		})}
	case metricdata.Sum[float64]:
		out.Data = &metricspb.Metric_Sum{Sum: sum(data, func(n float64, p *metricspb.NumberDataPoint) {
			p.Value = &metricspb.NumberDataPoint_AsDouble{AsDouble: n}
		})}
	case metricdata.Histogram[int64]:
		out.Data = &metricspb.Metric_Histogram{Histogram: histogram(data)}
	case metricdata.Histogram[float64]:
		out.Data = &metricspb.Metric_Histogram{Histogram: histogram(data)}
	default:
		return nil, fmt.Errorf("send the metric %s: %T is neither a counter nor a histogram", m.Name, m.Data)
	}
	return out, nil
}

func sum[N int64 | float64](data metricdata.Sum[N], set func(N, *metricspb.NumberDataPoint)) *metricspb.Sum {
	out := &metricspb.Sum{AggregationTemporality: temporality(data.Temporality), IsMonotonic: data.IsMonotonic}
	for _, p := range data.DataPoints {
		point := &metricspb.NumberDataPoint{Attributes: pairs(p.Attributes.ToSlice()), StartTimeUnixNano: nano(p.StartTime), TimeUnixNano: nano(p.Time)}
		set(p.Value, point)
		out.DataPoints = append(out.DataPoints, point)
	}
	return out
}

func histogram[N int64 | float64](data metricdata.Histogram[N]) *metricspb.Histogram {
	out := &metricspb.Histogram{AggregationTemporality: temporality(data.Temporality)}
	for _, p := range data.DataPoints {
		total := float64(p.Sum)
		point := &metricspb.HistogramDataPoint{
			Attributes: pairs(p.Attributes.ToSlice()), StartTimeUnixNano: nano(p.StartTime), TimeUnixNano: nano(p.Time),
			Count: p.Count, Sum: &total, BucketCounts: p.BucketCounts, ExplicitBounds: p.Bounds,
		}
		if least, ok := p.Min.Value(); ok {
			v := float64(least)
			point.Min = &v
		}
		if most, ok := p.Max.Value(); ok {
			v := float64(most)
			point.Max = &v
		}
		out.DataPoints = append(out.DataPoints, point)
	}
	return out
}

func temporality(t metricdata.Temporality) metricspb.AggregationTemporality {
	if t == metricdata.DeltaTemporality {
		return metricspb.AggregationTemporality_AGGREGATION_TEMPORALITY_DELTA
	}
	return metricspb.AggregationTemporality_AGGREGATION_TEMPORALITY_CUMULATIVE
}

func nano(t time.Time) uint64 { return uint64(max(0, t.UnixNano())) }

// pairs converts attributes; those that are no text and no number are sent as
// text.
func pairs(attributes []attribute.KeyValue) []*commonpb.KeyValue {
	out := make([]*commonpb.KeyValue, 0, len(attributes))
	for _, a := range attributes {
		v := &commonpb.AnyValue{}
		switch a.Value.Type() {
		case attribute.BOOL:
			v.Value = &commonpb.AnyValue_BoolValue{BoolValue: a.Value.AsBool()}
		case attribute.INT64:
			v.Value = &commonpb.AnyValue_IntValue{IntValue: a.Value.AsInt64()}
		case attribute.FLOAT64:
			v.Value = &commonpb.AnyValue_DoubleValue{DoubleValue: a.Value.AsFloat64()}
		default:
			v.Value = &commonpb.AnyValue_StringValue{StringValue: a.Value.String()}
		}
		out = append(out, &commonpb.KeyValue{Key: string(a.Key), Value: v})
	}
	return out
}
