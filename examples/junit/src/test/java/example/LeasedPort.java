package example;

import java.io.IOException;
import java.nio.charset.StandardCharsets;

/** A port that nobody else gets, in whatever thread or suite, until it is closed. */
record LeasedPort(int number) implements AutoCloseable {
    /** Leases a port for a minute, which is time enough for a server to take it. */
    static LeasedPort lease() throws IOException, InterruptedException {
        return new LeasedPort(Integer.parseInt(wharf("port")));
    }

    @Override
    public void close() throws IOException, InterruptedException {
        wharf("release", String.valueOf(number));
    }

    private static String wharf(String... words) throws IOException, InterruptedException {
        var command = new java.util.ArrayList<>(java.util.List.of("wharf"));
        command.addAll(java.util.List.of(words));
        var process = new ProcessBuilder(command).redirectErrorStream(true).start();
        var said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8).strip();
        if (process.waitFor() != 0) {
            throw new IOException("wharf " + String.join(" ", words) + ": " + said);
        }
        return said;
    }
}
