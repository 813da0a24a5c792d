/* container_address - whom a container's credentials may be asked of over plain HTTP.
 *
 * For:   what container_address.h promises. The only protocol file that knows how the system lays
 *        out an address.
 * Never: sockets, resolving names.
 */
#include "container_address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

static bool is_allowed4(uint32_t address)
{
    return address >> 24 == 127 || address == UINT32_C(0xa9feaa02) ||
           address == UINT32_C(0xa9feaa17);
}

static bool is_allowed6(const struct in6_addr *address)
{
    static const struct in6_addr eks = {
        {{0xfd, 0x00, 0x0e, 0xc2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x23}}};
    uint32_t mapped;

    if (IN6_IS_ADDR_V4MAPPED(address)) {
        memcpy(&mapped, address->s6_addr + 12, sizeof mapped);
        return is_allowed4(ntohl(mapped));
    }
    return IN6_IS_ADDR_LOOPBACK(address) || memcmp(address, &eks, sizeof eks) == 0;
}

bool vault_container_address(const void *sockaddr)
{
    struct sockaddr any;
    struct sockaddr_in four;
    struct sockaddr_in6 six;

    memcpy(&any, sockaddr, sizeof any);
    if (any.sa_family == AF_INET) {
        memcpy(&four, sockaddr, sizeof four);
        return is_allowed4(ntohl(four.sin_addr.s_addr));
    }
    if (any.sa_family != AF_INET6)
        return false;
    memcpy(&six, sockaddr, sizeof six);
    return is_allowed6(&six.sin6_addr);
}

bool vault_container_host(const char *host, size_t length)
{
    bool bracketed = length > 2 && host[0] == '[';
    char text[INET6_ADDRSTRLEN] = "";
    struct in6_addr six;
    struct in_addr four;

    if (bracketed) {
        host++;
        length -= 2;
    }
    if (length >= sizeof text)
        return !bracketed;
    memcpy(text, host, length);
    if (bracketed)
        return inet_pton(AF_INET6, text, &six) == 1 && is_allowed6(&six);
    return inet_pton(AF_INET, text, &four) != 1 || is_allowed4(ntohl(four.s_addr));
}
