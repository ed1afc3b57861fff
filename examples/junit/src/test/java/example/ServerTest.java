package example;

import static org.junit.jupiter.api.Assertions.assertEquals;

import com.sun.net.httpserver.HttpServer;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Sixteen tests, each with a server of its own that answers with what only the test knows. */
class ServerTest {
    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16})
    void itIsThisTestsServerThatAnswers(int number) throws Exception {
        var name = ("server " + number + " of " + ProcessHandle.current().pid()).getBytes(StandardCharsets.UTF_8);
        try (var port = LeasedPort.lease()) {
            // Fails if the port is another's.
            var server = HttpServer.create(new InetSocketAddress("127.0.0.1", port.number()), 0);
            server.createContext("/", exchange -> {
                exchange.sendResponseHeaders(200, name.length);
                exchange.getResponseBody().write(name);
                exchange.close();
            });
            server.start();
            try {
                var request = HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + port.number() + "/")).build();
                var answer = HttpClient.newHttpClient().send(request, BodyHandlers.ofByteArray());
                assertEquals(new String(name, StandardCharsets.UTF_8), new String(answer.body(), StandardCharsets.UTF_8));
            } finally {
                server.stop(0);
            }
        }
    }
}
