import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;

/** The port is a literal on purpose. */
public class Shop {

    public static void main(String[] args) throws IOException {
        HttpServer server = HttpServer.create(address(args), 0);
        server.createContext("/", exchange -> {
            byte[] text = Files.readAllBytes(Path.of("identity.txt"));
            exchange.sendResponseHeaders(200, text.length);
            exchange.getResponseBody().write(text);
            exchange.close();
        });
        server.start();
    }

    /** Only the address may be given. */
    private static InetSocketAddress address(String[] args) {
        return args.length == 0 ? new InetSocketAddress(8000) : new InetSocketAddress(args[0], 8000);
    }
}
