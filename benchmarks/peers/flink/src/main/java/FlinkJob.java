import com.fasterxml.jackson.annotation.JsonIgnoreProperties;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.ObjectReader;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.serialization.AbstractDeserializationSchema;
import org.apache.flink.api.common.serialization.SerializationSchema;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.connector.base.DeliveryGuarantee;
import org.apache.flink.connector.kafka.sink.KafkaRecordSerializationSchema;
import org.apache.flink.connector.kafka.sink.KafkaSink;
import org.apache.flink.connector.kafka.source.KafkaSource;
import org.apache.flink.connector.kafka.source.enumerator.initializer.OffsetsInitializer;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.KeyedProcessFunction;
import org.apache.flink.util.Collector;
import org.apache.kafka.clients.consumer.OffsetResetStrategy;

/** sales-kpi-1 on Flink in one process: keyed by deal, keyed by (rep, day), Kafka sink, a checkpoint every 10 s. */
public class FlinkJob {
  @JsonIgnoreProperties(ignoreUnknown = true)
  public static class Deal {
    public String type, deal_id, rep_id, stage, occurred_at;
    public double amount;
  }

  public static class Stood {
    public String s;
    public long t;
  }

  public static class Move {
    public String k, type, from;
    public long cents, stayed;
    public int late;
  }

  public static class Row {
    public String k;
    public long n, created, won, lost, amt, late;
    public Map<String, Long> ds = new HashMap<>(), dc = new HashMap<>();
  }

  static final ObjectMapper MAPPER = new ObjectMapper();
  static final AtomicLong COUNT = new AtomicLong();

  public static class Reading extends AbstractDeserializationSchema<Deal> {
    private transient ObjectReader reader;

    @Override
    public Deal deserialize(byte[] bytes) throws IOException {
      if (reader == null) {
        reader = MAPPER.readerFor(Deal.class);
      }
      return reader.readValue(bytes);
    }
  }

  public static class ByDeal extends KeyedProcessFunction<String, Deal, Move> {
    private transient ValueState<Stood> state;

    @Override
    public void open(OpenContext context) {
      state = getRuntimeContext().getState(new ValueStateDescriptor<>("deals", Stood.class));
    }

    @Override
    public void processElement(Deal event, Context context, Collector<Move> out) throws Exception {
      long at = Instant.parse(event.occurred_at).toEpochMilli();
      Stood stood = state.value();
      Move move = new Move();
      move.k = event.rep_id + "|" + event.occurred_at.substring(0, 10);
      move.type = event.type;
      move.cents = Math.round(event.amount * 100);
      if (stood != null && at < stood.t) {
        move.late = 1;
      } else {
        if (stood == null) {
          stood = new Stood();
        } else {
          move.from = stood.s;
          move.stayed = at - stood.t;
        }
        stood.s = event.stage;
        stood.t = at;
        state.update(stood);
      }
      out.collect(move);
    }
  }

  public static class ByRep extends KeyedProcessFunction<String, Move, Row> {
    private transient ValueState<Row> state;

    @Override
    public void open(OpenContext context) {
      state = getRuntimeContext().getState(new ValueStateDescriptor<>("kpi", Row.class));
    }

    @Override
    public void processElement(Move move, Context context, Collector<Row> out) throws Exception {
      Row row = state.value();
      if (row == null) {
        row = new Row();
        row.k = move.k;
      }
      row.n++;
      row.late += move.late;
      switch (move.type) {
        case "deal.created" -> row.created++;
        case "deal.lost" -> row.lost++;
        case "deal.won" -> {
          row.won++;
          row.amt += move.cents;
        }
        default -> {}
      }
      if (move.from != null) {
        row.ds.merge(move.from, move.stayed, Long::sum);
        row.dc.merge(move.from, 1L, Long::sum);
      }
      state.update(row);
      COUNT.incrementAndGet();
      out.collect(row);
    }
  }

  static Configuration configuration() {
    Configuration all = new Configuration();
    all.setString("state.backend.type", System.getenv("BACKEND"));
    all.setString("execution.checkpointing.incremental", "true");
    all.setString("state.checkpoints.dir", "file://" + System.getenv("STATE_DIR") + "/checkpoints");
    all.setString("execution.checkpointing.storage", "filesystem");
    all.setString("execution.checkpointing.interval", "10s");
    all.setString("taskmanager.memory.managed.size", "256m");
    all.setString("rest.port", "0");
    return all;
  }

  static void sayProgress() {
    Thread saying =
        new Thread(
            () -> {
              long said = -1;
              while (true) {
                long count = COUNT.get();
                if (count != said) {
                  System.out.printf(Locale.ROOT, "PROG %.3f %d%n", System.currentTimeMillis() / 1000.0, count);
                }
                said = count;
                try {
                  Thread.sleep(100);
                } catch (InterruptedException e) {
                  return;
                }
              }
            });
    saying.setDaemon(true);
    saying.start();
  }

  static byte[] written(Row row) {
    try {
      return MAPPER.writeValueAsBytes(row);
    } catch (Exception e) {
      throw new RuntimeException(e);
    }
  }

  public static void main(String[] arguments) throws Exception {
    StreamExecutionEnvironment environment = StreamExecutionEnvironment.getExecutionEnvironment(configuration());
    environment.setParallelism(1);
    KafkaSource<Deal> source =
        KafkaSource.<Deal>builder()
            .setBootstrapServers(System.getenv("BROKER"))
            .setTopics(System.getenv("TOPIC"))
            .setGroupId(System.getenv("APP_ID"))
            .setStartingOffsets(OffsetsInitializer.committedOffsets(OffsetResetStrategy.EARLIEST))
            .setValueOnlyDeserializer(new Reading())
            .build();
    SerializationSchema<Row> key = row -> row.k.getBytes(StandardCharsets.UTF_8);
    SerializationSchema<Row> value = FlinkJob::written;
    KafkaSink<Row> sink =
        KafkaSink.<Row>builder()
            .setBootstrapServers(System.getenv("BROKER"))
            .setDeliveryGuarantee(DeliveryGuarantee.AT_LEAST_ONCE)
            .setRecordSerializer(
                KafkaRecordSerializationSchema.builder()
                    .setTopic(System.getenv("OUT_TOPIC"))
                    .setKeySerializationSchema(key)
                    .setValueSerializationSchema(value)
                    .build())
            .build();
    environment
        .fromSource(source, WatermarkStrategy.noWatermarks(), "deals")
        .keyBy(deal -> deal.deal_id)
        .process(new ByDeal())
        .keyBy(move -> move.k)
        .process(new ByRep())
        .sinkTo(sink);
    sayProgress();
    environment.execute("kpi");
  }
}
