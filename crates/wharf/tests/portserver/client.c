/* A client of the port server protocol as C and C++ programs have it: connect, write, read, close.
 * client ADDRESS LINE: sends the line a byte at a time, prints what comes back. */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int main(int count, char **words) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char answer[64];
    ssize_t length, all = 0;
    int server = socket(AF_UNIX, SOCK_STREAM, 0);

    if (count != 3 || server < 0 || strlen(words[1]) >= sizeof address.sun_path) return 2;
    strcpy(address.sun_path, words[1]);
    if (connect(server, (struct sockaddr *)&address, sizeof address) != 0) return 3;
    if (strcmp(words[2], "self") == 0) {
        char own[32];
        int end = snprintf(own, sizeof own, "%d\n", (int)getpid());
        for (int at = 0; at < end; at++)
            if (write(server, own + at, 1) != 1) return 4;
    } else {
        /* The server may refuse before the end of a line that is too long. */
        if (send(server, words[2], strlen(words[2]), MSG_NOSIGNAL) < 0) return 4;
        shutdown(server, SHUT_WR);
    }
    while ((length = read(server, answer + all, sizeof answer - (size_t)all)) > 0) all += length;
    fwrite(answer, 1, (size_t)all, stdout);
    return 0;
}
