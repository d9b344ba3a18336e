import com.fasterxml.jackson.annotation.JsonIgnoreProperties;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.ObjectReader;
import com.fasterxml.jackson.databind.ObjectWriter;
import java.time.Duration;
import java.time.Instant;
import java.time.LocalDate;
import java.time.ZoneOffset;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.kstream.Repartitioned;
import org.apache.kafka.streams.kstream.TimeWindows;
import org.apache.kafka.streams.processor.TimestampExtractor;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.Stores;
import org.apache.kafka.streams.state.WindowStore;

/** sales-kpi-1 on Kafka Streams: a store by deal, repartitioned by rep, windows of a day. */
public class KafkaStreamsJob {
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
    public String rep, type, from;
    public long cents, stayed;
    public int late;
  }

  public static class Row {
    public long n, created, won, lost, amt, late;
    public Map<String, Long> ds = new HashMap<>(), dc = new HashMap<>();
  }

  static final ObjectMapper MAPPER = new ObjectMapper();
  static final AtomicLong COUNT = new AtomicLong();

  static <T> Serde<T> json(Class<T> type) {
    ObjectReader reader = MAPPER.readerFor(type);
    ObjectWriter writer = MAPPER.writerFor(type);
    return Serdes.serdeFrom(
        (topic, value) -> {
          try {
            return value == null ? null : writer.writeValueAsBytes(value);
          } catch (Exception e) {
            throw new RuntimeException(e);
          }
        },
        (topic, bytes) -> {
          try {
            return bytes == null ? null : reader.readValue(bytes);
          } catch (Exception e) {
            throw new RuntimeException(e);
          }
        });
  }

  public static class EventTime implements TimestampExtractor {
    @Override
    public long extract(ConsumerRecord<Object, Object> record, long partitionTime) {
      return Instant.parse(((Deal) record.value()).occurred_at).toEpochMilli();
    }
  }

  static class ByDeal implements Processor<String, Deal, String, Move> {
    private ProcessorContext<String, Move> context;
    private KeyValueStore<String, Stood> store;

    @Override
    public void init(ProcessorContext<String, Move> context) {
      this.context = context;
      store = context.getStateStore("deals");
    }

    @Override
    public void process(Record<String, Deal> record) {
      Deal event = record.value();
      long at = record.timestamp();
      Stood stood = store.get(event.deal_id);
      Move move = new Move();
      move.rep = event.rep_id;
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
        store.put(event.deal_id, stood);
      }
      context.forward(new Record<>(move.rep, move, at));
    }
  }

  static Row add(String rep, Move move, Row row) {
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
    COUNT.incrementAndGet();
    return row;
  }

  static Properties configuration() {
    Properties all = new Properties();
    all.put("application.id", System.getenv("APP_ID"));
    all.put("bootstrap.servers", System.getenv("BROKER"));
    all.put("state.dir", System.getenv("STATE_DIR"));
    all.put("auto.offset.reset", "earliest");
    all.put("num.stream.threads", "1");
    Map<String, String> more =
        Map.of(
            "CACHE_BYTES", "statestore.cache.max.bytes",
            "LINGER_MS", "producer.linger.ms",
            "GUARANTEE", "processing.guarantee");
    more.forEach(
        (variable, name) -> {
          if (System.getenv(variable) != null) {
            all.put(name, System.getenv(variable));
          }
        });
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

  public static void main(String[] arguments) {
    Serde<Move> moves = json(Move.class);
    Serde<Row> rows = json(Row.class);
    StreamsBuilder builder = new StreamsBuilder();
    builder.addStateStore(
        Stores.keyValueStoreBuilder(Stores.persistentKeyValueStore("deals"), Serdes.String(), json(Stood.class)));
    builder.stream(
            System.getenv("TOPIC"),
            Consumed.with(Serdes.String(), json(Deal.class)).withTimestampExtractor(new EventTime()))
        .process(ByDeal::new, "deals")
        .repartition(Repartitioned.with(Serdes.String(), moves).withName("by-rep").withNumberOfPartitions(4))
        .groupByKey(Grouped.with(Serdes.String(), moves))
        .windowedBy(TimeWindows.ofSizeAndGrace(Duration.ofDays(1), Duration.ofDays(61)))
        .aggregate(
            Row::new,
            KafkaStreamsJob::add,
            Materialized.<String, Row, WindowStore<Bytes, byte[]>>as("kpi")
                .withKeySerde(Serdes.String())
                .withValueSerde(rows))
        .toStream((key, row) -> key.key() + "|" + LocalDate.ofInstant(key.window().startTime(), ZoneOffset.UTC))
        .to(System.getenv("OUT_TOPIC"), Produced.with(Serdes.String(), rows));
    KafkaStreams streams = new KafkaStreams(builder.build(), configuration());
    sayProgress();
    Runtime.getRuntime().addShutdownHook(new Thread(() -> streams.close(Duration.ofSeconds(30))));
    streams.start();
  }
}
