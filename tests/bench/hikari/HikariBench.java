// HikariCP, the fastest pool of the Java world, under the loads of lease_cycle.cpp and contention.cpp.
import com.zaxxer.hikari.HikariConfig;
import com.zaxxer.hikari.HikariDataSource;
import java.io.PrintWriter;
import java.sql.Connection;
import java.util.Arrays;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.locks.LockSupport;
import java.util.logging.Logger;
import javax.sql.DataSource;

public final class HikariBench {
  static final class NothingSource implements DataSource {
    public Connection getConnection() { return new Nothing(); }
    public Connection getConnection(String user, String password) { return new Nothing(); }
    public PrintWriter getLogWriter() { return null; }
    public void setLogWriter(PrintWriter out) { }
    public void setLoginTimeout(int seconds) { }
    public int getLoginTimeout() { return 0; }
    public Logger getParentLogger() { return null; }
    public <T> T unwrap(Class<T> type) { return null; }
    public boolean isWrapperFor(Class<?> type) { return false; }
  }

  static HikariDataSource pool(int size) {
    HikariConfig config = new HikariConfig();
    config.setDataSource(new NothingSource());
    config.setMaximumPoolSize(size);
    config.setMinimumIdle(size);
    config.setConnectionTimeout(60_000);
    return new HikariDataSource(config);
  }

  static double cycle(HikariDataSource pool, int n) throws Exception {
    long begin = System.nanoTime();
    for (int i = 0; i < n; i++) pool.getConnection().close();
    return (System.nanoTime() - begin) / (double) n;
  }

  static double twoThreads(HikariDataSource pool, int n) throws Exception {
    double[] ns = new double[2];
    CountDownLatch start = new CountDownLatch(1);
    Thread[] threads = new Thread[2];
    for (int t = 0; t < 2; t++) {
      final int me = t;
      threads[t] = new Thread(() -> {
        try {
          start.await();
          ns[me] = cycle(pool, n);
        } catch (Exception e) {
          throw new RuntimeException(e);
        }
      });
      threads[t].start();
    }
    start.countDown();
    for (Thread t : threads) t.join();
    return Math.max(ns[0], ns[1]);
  }

  static void load(String name, int threads, int connections, long holdNs, boolean busy, double seconds) throws Exception {
    long[][] waits = new long[threads][1 << 20];
    int[] counts = new int[threads];
    try (HikariDataSource pool = pool(connections)) {
      Thread[] workers = new Thread[threads];
      CountDownLatch start = new CountDownLatch(1);
      long[] end = new long[1];
      for (int i = 0; i < threads; i++) {
        final int me = i;
        workers[i] = new Thread(() -> {
          try {
            start.await();
            while (System.nanoTime() < end[0]) {
              long asked = System.nanoTime();
              Connection connection = pool.getConnection();
              long got = System.nanoTime();
              if (busy) while (System.nanoTime() - got < holdNs) { }
              else LockSupport.parkNanos(holdNs);
              connection.close();
              if (counts[me] < waits[me].length) waits[me][counts[me]] = got - asked;
              counts[me]++;
            }
          } catch (Exception e) {
            throw new RuntimeException(e);
          }
        });
        workers[i].start();
      }
      end[0] = System.nanoTime() + (long) (seconds * 1e9);
      start.countDown();
      for (Thread t : workers) t.join();
    }
    int total = Arrays.stream(counts).sum();
    int n = 0;
    long[] all = new long[total];
    for (int i = 0; i < threads; i++) {
      int kept = Math.min(counts[i], waits[i].length);
      System.arraycopy(waits[i], 0, all, n, kept);
      n += kept;
    }
    Arrays.sort(all, 0, n);
    int least = Arrays.stream(counts).min().getAsInt();
    int most = Arrays.stream(counts).max().getAsInt();
    System.out.printf("  %-34s %9.0f/s   wait p50 %8.3f ms, p99 %8.3f ms, longest %8.2f ms   slowest/fastest %.2f%n", name,
        total / seconds, all[n / 2] / 1e6, all[(int) (n * 0.99)] / 1e6, all[n - 1] / 1e6, least / (double) most);
  }

  public static void main(String[] args) throws Exception {
    double[] one = new double[9];
    double[] two = new double[9];
    try (HikariDataSource pool = pool(10)) {
      for (int i = 0; i < 3; i++) {
        cycle(pool, 5_000_000);
        twoThreads(pool, 3_000_000);
      }
      for (int i = 0; i < one.length; i++) {
        one[i] = cycle(pool, 2_000_000);
        two[i] = twoThreads(pool, 2_000_000);
      }
    }
    Arrays.sort(one);
    Arrays.sort(two);
    System.out.printf("  lease cycle, ns (median of 9)      %8.1f   two threads, each %8.1f%n", one[4], two[4]);
    load("100 threads, 10 held 1 ms", 100, 10, 1_000_000, false, 5);
    load("32 threads, 8 held 10 us busy", 32, 8, 10_000, true, 3);
  }
}
